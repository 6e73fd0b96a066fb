/* What a device and edgehip say to each other, for devices: C99, no allocation, no libc.
 *
 * Say something:
 *
 *     uint8_t frame[EDGEHIP_ANGLES_FRAME];
 *     struct edgehip_angles angles = {{1234, -450, ...}};          (hundredths of a degree)
 *     uart_write(frame, edgehip_encode_angles(frame, sequence++, sampled_us, &angles));
 *
 * Listen, byte by byte, from an interrupt if you like:
 *
 *     static struct edgehip_decoder decoder;                       (all zeros is ready to use)
 *     if (edgehip_feed(&decoder, byte) == EDGEHIP_FRAME) {
 *         struct edgehip_cue cue;
 *         if (decoder.type == EDGEHIP_TYPE_CUE && edgehip_read_cue(&decoder, &cue)) ...
 *     }
 *
 * PROTOCOL.md describes the bytes. A raw number's unit is in its name: angles_deg_x100 counts
 * hundredths of a degree.
 */
#ifndef EDGEHIP_WIRE_H
#define EDGEHIP_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a byte brought. Everything from EDGEHIP_OVERLONG on is a fault: count it and go on. */
enum edgehip_event {
    EDGEHIP_NOTHING,     /* not the end of a frame */
    EDGEHIP_FRAME,       /* a frame: see type, sequence and device_us, and edgehip_read_...() */
    EDGEHIP_OVERLONG,    /* no delimiter for longer than any frame; once per run of such bytes */
    EDGEHIP_BAD_COBS,    /* impossible byte stuffing */
    EDGEHIP_BAD_LENGTH,  /* a size that does not fit the type, or too short to be a frame */
    EDGEHIP_BAD_CRC,     /* the checksum does not match */
    EDGEHIP_BAD_VERSION, /* a version of the protocol that this library does not know */
    EDGEHIP_BAD_TYPE     /* an unknown type of message */
};

/* generated: begin */
#define EDGEHIP_VERSION 1u
/* The longest frame, delimiter included, and the longest payload of a known message. */
#define EDGEHIP_MAX_FRAME 255u
#define EDGEHIP_MAX_KNOWN_PAYLOAD 87u

/* Types of message; from 0x80 on they go from the host to the device. */
enum edgehip_type {
    EDGEHIP_TYPE_ANGLES = 0x01,
    EDGEHIP_TYPE_DESCRIPTION = 0x02,
    EDGEHIP_TYPE_DESCRIBE = 0x80,
    EDGEHIP_TYPE_START = 0x81,
    EDGEHIP_TYPE_STOP = 0x82,
    EDGEHIP_TYPE_RATE = 0x83,
    EDGEHIP_TYPE_CYCLE_ESTIMATE = 0x84,
    EDGEHIP_TYPE_CUE = 0x85,
    EDGEHIP_TYPE_SAMPLE_ESTIMATE = 0x86
};

/* Joint angles (OpenSim's names and signs): their place in the arrays below, and bits of
 * channels. */
enum edgehip_angle {
    EDGEHIP_ANGLE_HIP_FLEXION_R = 0,
    EDGEHIP_ANGLE_HIP_ADDUCTION_R = 1,
    EDGEHIP_ANGLE_HIP_ROTATION_R = 2,
    EDGEHIP_ANGLE_HIP_FLEXION_L = 3,
    EDGEHIP_ANGLE_HIP_ADDUCTION_L = 4,
    EDGEHIP_ANGLE_HIP_ROTATION_L = 5,
    EDGEHIP_ANGLE_KNEE_ANGLE_R = 6,
    EDGEHIP_ANGLE_ANKLE_ANGLE_R = 7,
    EDGEHIP_ANGLE_KNEE_ANGLE_L = 8,
    EDGEHIP_ANGLE_ANKLE_ANGLE_L = 9
};

/* Hip moments: their place in the arrays below. */
enum edgehip_moment {
    EDGEHIP_MOMENT_HIP_FLEXION = 0,
    EDGEHIP_MOMENT_HIP_ADDUCTION = 1,
    EDGEHIP_MOMENT_HIP_ROTATION = 2
};

/* Hip muscles: their place in the arrays below. */
enum edgehip_muscle {
    EDGEHIP_MUSCLE_ADDBREV = 0,
    EDGEHIP_MUSCLE_ADDLONG = 1,
    EDGEHIP_MUSCLE_ADDMAG = 2,
    EDGEHIP_MUSCLE_GRAC = 3,
    EDGEHIP_MUSCLE_ILIOPSOAS = 4,
    EDGEHIP_MUSCLE_RECFEM = 5,
    EDGEHIP_MUSCLE_SART = 6,
    EDGEHIP_MUSCLE_GLMAX = 7,
    EDGEHIP_MUSCLE_BFLH = 8,
    EDGEHIP_MUSCLE_HAMSTRING = 9,
    EDGEHIP_MUSCLE_GLMED = 10,
    EDGEHIP_MUSCLE_GLMIN = 11,
    EDGEHIP_MUSCLE_TFL = 12,
    EDGEHIP_MUSCLE_PIRI = 13
};

/* Why an estimate may be wrong: bits of flags. */
enum edgehip_flag {
    EDGEHIP_FLAG_FIRST_AFTER_GAP = 1 << 0,
    EDGEHIP_FLAG_SAMPLES_LOST = 1 << 1,
    EDGEHIP_FLAG_OUT_OF_RANGE = 1 << 2,
    EDGEHIP_FLAG_NO_ZERO = 1 << 3,
    EDGEHIP_FLAG_NO_FOOT_OFF = 1 << 4,
    EDGEHIP_FLAG_WARMING_UP = 1 << 5,
    EDGEHIP_FLAG_LINK_DOWN = 1 << 6,
    EDGEHIP_FLAG_NOT_WALKING = 1 << 7
};

/* Switch nothing on by an estimate with one of these flags, as edgehip's cues do not. The others
 * are advice: no_zero is always there until the person's zero is measured. */
#define EDGEHIP_DISTRUST \
    (EDGEHIP_FLAG_FIRST_AFTER_GAP | EDGEHIP_FLAG_OUT_OF_RANGE | EDGEHIP_FLAG_WARMING_UP | \
     EDGEHIP_FLAG_LINK_DOWN | EDGEHIP_FLAG_NOT_WALKING)

/* Raw measurements (names that end in _x...) that say "not known". Ask before comparing: unsigned
 * ones lie above every limit, signed ones below. */
#define EDGEHIP_UNKNOWN_U8 255u
#define EDGEHIP_UNKNOWN_U16 65535u
#define EDGEHIP_UNKNOWN_U32 4294967295u
#define EDGEHIP_UNKNOWN_I16 (-32767 - 1)

struct edgehip_decoder;

/* edgehip_encode_...() writes a frame of EDGEHIP_..._FRAME bytes and returns how many that are.
 * edgehip_read_...() reads the frame just received; false if it is of another type, or if a text
 * in it is not UTF-8 without control characters. */

/* Device to host: ten joint angles in degrees, NaN where the device measures none. */
#define EDGEHIP_ANGLES_FRAME 36u
struct edgehip_angles {
    int16_t angles_deg_x100[10];
};
size_t edgehip_encode_angles(uint8_t *frame, uint32_t sequence, uint32_t device_us,
    const struct edgehip_angles *message);
bool edgehip_read_angles(const struct edgehip_decoder *decoder,
    struct edgehip_angles *message);

/* Device to host: what the device is. channels has bit i set for ANGLES[i]. */
#define EDGEHIP_DESCRIPTION_FRAME 62u
struct edgehip_description {
    uint32_t rate_hz_x1000;
    uint16_t channels;
    char name[25];
    char firmware[17];
};
size_t edgehip_encode_description(uint8_t *frame, uint32_t sequence, uint32_t device_us,
    const struct edgehip_description *message);
bool edgehip_read_description(const struct edgehip_decoder *decoder,
    struct edgehip_description *message);

/* Host to device: please send a Description. */
#define EDGEHIP_DESCRIBE_FRAME 16u
size_t edgehip_encode_describe(uint8_t *frame, uint32_t sequence, uint32_t device_us);

/* Host to device: begin sending angles. */
#define EDGEHIP_START_FRAME 16u
size_t edgehip_encode_start(uint8_t *frame, uint32_t sequence, uint32_t device_us);

/* Host to device: stop sending angles. */
#define EDGEHIP_STOP_FRAME 16u
size_t edgehip_encode_stop(uint8_t *frame, uint32_t sequence, uint32_t device_us);

/* Host to device: send angles at this rate. */
#define EDGEHIP_RATE_FRAME 20u
struct edgehip_rate {
    uint32_t rate_hz_x1000;
};
size_t edgehip_encode_rate(uint8_t *frame, uint32_t sequence, uint32_t device_us,
    const struct edgehip_rate *message);
bool edgehip_read_rate(const struct edgehip_decoder *decoder,
    struct edgehip_rate *message);

/* Host to device: the peaks of one stride's estimate. */
#define EDGEHIP_CYCLE_ESTIMATE_FRAME 89u
struct edgehip_cycle_estimate {
    uint8_t side;
    uint16_t flags;
    uint32_t start_us;
    uint32_t stride_us;
    uint16_t stance_percent_x100;
    int16_t moment_max_nm_per_kg_x1000[3];
    int16_t moment_min_nm_per_kg_x1000[3];
    uint16_t force_max_n_per_kg_x100[14];
    uint8_t moment_max_percent_x2[3];
    uint8_t moment_min_percent_x2[3];
    uint8_t force_max_percent_x2[14];
};
size_t edgehip_encode_cycle_estimate(uint8_t *frame, uint32_t sequence, uint32_t device_us,
    const struct edgehip_cycle_estimate *message);
bool edgehip_read_cycle_estimate(const struct edgehip_decoder *decoder,
    struct edgehip_cycle_estimate *message);

/* Host to device: switch one of the device's cues (a light, a buzzer, a motor) on or off. */
#define EDGEHIP_CUE_FRAME 24u
struct edgehip_cue {
    uint8_t cue;
    uint8_t state;
    uint32_t event_us;
    uint16_t flags;
};
size_t edgehip_encode_cue(uint8_t *frame, uint32_t sequence, uint32_t device_us,
    const struct edgehip_cue *message);
bool edgehip_read_cue(const struct edgehip_decoder *decoder,
    struct edgehip_cue *message);

/* Host to device: the estimate at one sample. */
#define EDGEHIP_SAMPLE_ESTIMATE_FRAME 57u
struct edgehip_sample_estimate {
    uint8_t side;
    uint16_t flags;
    uint32_t sample_us;
    int16_t moments_nm_per_kg_x1000[3];
    uint16_t forces_n_per_kg_x100[14];
};
size_t edgehip_encode_sample_estimate(uint8_t *frame, uint32_t sequence, uint32_t device_us,
    const struct edgehip_sample_estimate *message);
bool edgehip_read_sample_estimate(const struct edgehip_decoder *decoder,
    struct edgehip_sample_estimate *message);
/* generated: end */

/* The listener's memory. All zeros is ready to use; set it to zeros again when the link was lost. */
struct edgehip_decoder {
    /* Of the last frame; the type is 0 before there is one, and again while another comes in. */
    uint8_t type;
    uint32_t sequence;
    uint32_t device_us;
    /* Of the frame being received, or just received. */
    uint32_t crc;
    uint8_t stuffed;  /* bytes since the delimiter */
    uint8_t distance; /* bytes up to the next stuffed zero */
    uint8_t size;     /* bytes of payload so far, kept or not */
    uint8_t payload[EDGEHIP_MAX_KNOWN_PAYLOAD];
};

/* Take one byte. After EDGEHIP_FRAME its contents can be read until the next byte is fed; then
 * edgehip_read_...() returns false until there is another frame. */
enum edgehip_event edgehip_feed(struct edgehip_decoder *decoder, uint8_t byte);

#ifdef __cplusplus
}
#endif

#endif
