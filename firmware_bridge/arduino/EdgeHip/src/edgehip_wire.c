#include "edgehip_wire.h"

/* Checksum: CRC-32 of IEEE 802.3 (as zlib's). A table of 256 entries costs 1 KiB of flash and is
 * about twice as fast as one of 16 entries (64 bytes), which EDGEHIP_SMALL_CRC chooses. */
#if defined(__AVR__)
#include <avr/pgmspace.h>
#ifndef EDGEHIP_SMALL_CRC
#define EDGEHIP_SMALL_CRC
#endif
#define FLASH PROGMEM
#define FROM_FLASH(address) pgm_read_dword(address)
#else
#define FLASH
#define FROM_FLASH(address) (*(address))
#endif

#define HEADER_SIZE 10u
#define NO_TYPE 0u /* of no message; what a decoder of zeros has */
#define CRC_SIZE 4u
#define CRC_START 0xFFFFFFFFu
#define CRC_GOOD 0xDEBB20E3u /* what the checksum of anything followed by its checksum is */

/* generated: checksum begin */
static const uint32_t crc_table[] FLASH = {
#ifdef EDGEHIP_SMALL_CRC
    0x00000000u, 0x1DB71064u, 0x3B6E20C8u, 0x26D930ACu, 0x76DC4190u, 0x6B6B51F4u, 0x4DB26158u, 0x5005713Cu,
    0xEDB88320u, 0xF00F9344u, 0xD6D6A3E8u, 0xCB61B38Cu, 0x9B64C2B0u, 0x86D3D2D4u, 0xA00AE278u, 0xBDBDF21Cu,
#else
    0x00000000u, 0x77073096u, 0xEE0E612Cu, 0x990951BAu, 0x076DC419u, 0x706AF48Fu, 0xE963A535u, 0x9E6495A3u,
    0x0EDB8832u, 0x79DCB8A4u, 0xE0D5E91Eu, 0x97D2D988u, 0x09B64C2Bu, 0x7EB17CBDu, 0xE7B82D07u, 0x90BF1D91u,
    0x1DB71064u, 0x6AB020F2u, 0xF3B97148u, 0x84BE41DEu, 0x1ADAD47Du, 0x6DDDE4EBu, 0xF4D4B551u, 0x83D385C7u,
    0x136C9856u, 0x646BA8C0u, 0xFD62F97Au, 0x8A65C9ECu, 0x14015C4Fu, 0x63066CD9u, 0xFA0F3D63u, 0x8D080DF5u,
    0x3B6E20C8u, 0x4C69105Eu, 0xD56041E4u, 0xA2677172u, 0x3C03E4D1u, 0x4B04D447u, 0xD20D85FDu, 0xA50AB56Bu,
    0x35B5A8FAu, 0x42B2986Cu, 0xDBBBC9D6u, 0xACBCF940u, 0x32D86CE3u, 0x45DF5C75u, 0xDCD60DCFu, 0xABD13D59u,
    0x26D930ACu, 0x51DE003Au, 0xC8D75180u, 0xBFD06116u, 0x21B4F4B5u, 0x56B3C423u, 0xCFBA9599u, 0xB8BDA50Fu,
    0x2802B89Eu, 0x5F058808u, 0xC60CD9B2u, 0xB10BE924u, 0x2F6F7C87u, 0x58684C11u, 0xC1611DABu, 0xB6662D3Du,
    0x76DC4190u, 0x01DB7106u, 0x98D220BCu, 0xEFD5102Au, 0x71B18589u, 0x06B6B51Fu, 0x9FBFE4A5u, 0xE8B8D433u,
    0x7807C9A2u, 0x0F00F934u, 0x9609A88Eu, 0xE10E9818u, 0x7F6A0DBBu, 0x086D3D2Du, 0x91646C97u, 0xE6635C01u,
    0x6B6B51F4u, 0x1C6C6162u, 0x856530D8u, 0xF262004Eu, 0x6C0695EDu, 0x1B01A57Bu, 0x8208F4C1u, 0xF50FC457u,
    0x65B0D9C6u, 0x12B7E950u, 0x8BBEB8EAu, 0xFCB9887Cu, 0x62DD1DDFu, 0x15DA2D49u, 0x8CD37CF3u, 0xFBD44C65u,
    0x4DB26158u, 0x3AB551CEu, 0xA3BC0074u, 0xD4BB30E2u, 0x4ADFA541u, 0x3DD895D7u, 0xA4D1C46Du, 0xD3D6F4FBu,
    0x4369E96Au, 0x346ED9FCu, 0xAD678846u, 0xDA60B8D0u, 0x44042D73u, 0x33031DE5u, 0xAA0A4C5Fu, 0xDD0D7CC9u,
    0x5005713Cu, 0x270241AAu, 0xBE0B1010u, 0xC90C2086u, 0x5768B525u, 0x206F85B3u, 0xB966D409u, 0xCE61E49Fu,
    0x5EDEF90Eu, 0x29D9C998u, 0xB0D09822u, 0xC7D7A8B4u, 0x59B33D17u, 0x2EB40D81u, 0xB7BD5C3Bu, 0xC0BA6CADu,
    0xEDB88320u, 0x9ABFB3B6u, 0x03B6E20Cu, 0x74B1D29Au, 0xEAD54739u, 0x9DD277AFu, 0x04DB2615u, 0x73DC1683u,
    0xE3630B12u, 0x94643B84u, 0x0D6D6A3Eu, 0x7A6A5AA8u, 0xE40ECF0Bu, 0x9309FF9Du, 0x0A00AE27u, 0x7D079EB1u,
    0xF00F9344u, 0x8708A3D2u, 0x1E01F268u, 0x6906C2FEu, 0xF762575Du, 0x806567CBu, 0x196C3671u, 0x6E6B06E7u,
    0xFED41B76u, 0x89D32BE0u, 0x10DA7A5Au, 0x67DD4ACCu, 0xF9B9DF6Fu, 0x8EBEEFF9u, 0x17B7BE43u, 0x60B08ED5u,
    0xD6D6A3E8u, 0xA1D1937Eu, 0x38D8C2C4u, 0x4FDFF252u, 0xD1BB67F1u, 0xA6BC5767u, 0x3FB506DDu, 0x48B2364Bu,
    0xD80D2BDAu, 0xAF0A1B4Cu, 0x36034AF6u, 0x41047A60u, 0xDF60EFC3u, 0xA867DF55u, 0x316E8EEFu, 0x4669BE79u,
    0xCB61B38Cu, 0xBC66831Au, 0x256FD2A0u, 0x5268E236u, 0xCC0C7795u, 0xBB0B4703u, 0x220216B9u, 0x5505262Fu,
    0xC5BA3BBEu, 0xB2BD0B28u, 0x2BB45A92u, 0x5CB36A04u, 0xC2D7FFA7u, 0xB5D0CF31u, 0x2CD99E8Bu, 0x5BDEAE1Du,
    0x9B64C2B0u, 0xEC63F226u, 0x756AA39Cu, 0x026D930Au, 0x9C0906A9u, 0xEB0E363Fu, 0x72076785u, 0x05005713u,
    0x95BF4A82u, 0xE2B87A14u, 0x7BB12BAEu, 0x0CB61B38u, 0x92D28E9Bu, 0xE5D5BE0Du, 0x7CDCEFB7u, 0x0BDBDF21u,
    0x86D3D2D4u, 0xF1D4E242u, 0x68DDB3F8u, 0x1FDA836Eu, 0x81BE16CDu, 0xF6B9265Bu, 0x6FB077E1u, 0x18B74777u,
    0x88085AE6u, 0xFF0F6A70u, 0x66063BCAu, 0x11010B5Cu, 0x8F659EFFu, 0xF862AE69u, 0x616BFFD3u, 0x166CCF45u,
    0xA00AE278u, 0xD70DD2EEu, 0x4E048354u, 0x3903B3C2u, 0xA7672661u, 0xD06016F7u, 0x4969474Du, 0x3E6E77DBu,
    0xAED16A4Au, 0xD9D65ADCu, 0x40DF0B66u, 0x37D83BF0u, 0xA9BCAE53u, 0xDEBB9EC5u, 0x47B2CF7Fu, 0x30B5FFE9u,
    0xBDBDF21Cu, 0xCABAC28Au, 0x53B39330u, 0x24B4A3A6u, 0xBAD03605u, 0xCDD70693u, 0x54DE5729u, 0x23D967BFu,
    0xB3667A2Eu, 0xC4614AB8u, 0x5D681B02u, 0x2A6F2B94u, 0xB40BBE37u, 0xC30C8EA1u, 0x5A05DF1Bu, 0x2D02EF8Du,
#endif
};
/* generated: checksum end */

static uint32_t crc_step(uint32_t crc, uint8_t byte)
{
#ifdef EDGEHIP_SMALL_CRC
    crc = FROM_FLASH(&crc_table[(crc ^ byte) & 0xFu]) ^ (crc >> 4);
    return FROM_FLASH(&crc_table[(crc ^ (byte >> 4)) & 0xFu]) ^ (crc >> 4);
#else
    return FROM_FLASH(&crc_table[(crc ^ byte) & 0xFFu]) ^ (crc >> 8);
#endif
}

/* Writing: numbers go to their place in the frame, one byte behind its start. */

static uint8_t *put_u16(uint8_t *at, uint16_t number)
{
    at[0] = (uint8_t)number;
    at[1] = (uint8_t)(number >> 8);
    return at + 2;
}

static uint8_t *put_u32(uint8_t *at, uint32_t number)
{
    at[0] = (uint8_t)number;
    at[1] = (uint8_t)(number >> 8);
    at[2] = (uint8_t)(number >> 16);
    at[3] = (uint8_t)(number >> 24);
    return at + 4;
}

static uint32_t get_u32(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint8_t *put_u8s(uint8_t *at, const uint8_t *numbers, uint8_t count)
{
    while (count-- > 0) {
        *at++ = *numbers++;
    }
    return at;
}

static uint8_t *put_u16s(uint8_t *at, const uint16_t *numbers, uint8_t count)
{
    while (count-- > 0) {
        at = put_u16(at, *numbers++);
    }
    return at;
}

static uint8_t *put_u32s(uint8_t *at, const uint32_t *numbers, uint8_t count)
{
    while (count-- > 0) {
        at = put_u32(at, *numbers++);
    }
    return at;
}

static uint8_t *put_i16s(uint8_t *at, const int16_t *numbers, uint8_t count)
{
    for (; count > 1; count = (uint8_t)(count - 2), numbers += 2) {
        at = put_u32(at, (uint16_t)numbers[0] | (uint32_t)(uint16_t)numbers[1] << 16);
    }
    return count > 0 ? put_u16(at, (uint16_t)*numbers) : at;
}

static uint8_t *put_text(uint8_t *at, const char *text, uint8_t size)
{
    while (size > 0 && *text != '\0') {
        *at++ = (uint8_t)*text++;
        --size;
    }
    while (size-- > 0) {
        *at++ = 0;
    }
    return at;
}

static uint8_t *put_header(uint8_t *frame, uint8_t type, uint32_t sequence, uint32_t device_us)
{
    frame[1] = EDGEHIP_VERSION;
    frame[2] = type;
    return put_u32(put_u32(frame + 3, sequence), device_us);
}

/* Byte stuffing, in place: a zero becomes the distance to the next one, as "code" waits for it. */
static inline uint8_t *stuff(uint8_t *code, uint8_t *at, uint32_t byte)
{
    if (byte == 0) {
        *code = (uint8_t)(at - code);
        code = at;
    }
    return code;
}

/* Checksum and byte stuffing of what was put behind the frame's first byte, in one pass of whole
 * words, which costs fewer instructions than byte by byte. */
static size_t seal(uint8_t *frame, uint8_t *end)
{
    uint32_t crc = CRC_START;
    uint8_t *code = frame;
    uint8_t *at = frame + 1;

    for (; end - at >= 4; at += 4) {
        uint32_t word = get_u32(at);
        code = stuff(code, at, word & 0xFFu);
        code = stuff(code, at + 1, word & 0xFF00u);
        code = stuff(code, at + 2, word & 0xFF0000u);
        code = stuff(code, at + 3, word & 0xFF000000u);
        crc = crc_step(crc ^ word, 0);
        crc = crc_step(crc, 0);
        crc = crc_step(crc, 0);
        crc = crc_step(crc, 0);
    }
    for (; at != end; ++at) {
        uint8_t byte = *at;
        code = stuff(code, at, byte);
        crc = crc_step(crc, byte);
    }
    crc = ~crc;
    put_u32(at, crc);
    code = stuff(code, at++, crc & 0xFFu);
    code = stuff(code, at++, crc & 0xFF00u);
    code = stuff(code, at++, crc & 0xFF0000u);
    code = stuff(code, at++, crc & 0xFF000000u);
    *code = (uint8_t)(at - code);
    *at++ = 0;
    return (size_t)(at - frame);
}

/* Reading. */

static uint16_t get_u16(const uint8_t *at)
{
    return (uint16_t)(at[0] | (uint16_t)at[1] << 8);
}

static const uint8_t *get_u8s(const uint8_t *at, uint8_t *numbers, uint8_t count)
{
    while (count-- > 0) {
        *numbers++ = *at++;
    }
    return at;
}

static const uint8_t *get_u16s(const uint8_t *at, uint16_t *numbers, uint8_t count)
{
    for (; count > 0; --count, at += 2) {
        *numbers++ = get_u16(at);
    }
    return at;
}

static const uint8_t *get_u32s(const uint8_t *at, uint32_t *numbers, uint8_t count)
{
    for (; count > 0; --count, at += 4) {
        *numbers++ = get_u32(at);
    }
    return at;
}

static const uint8_t *get_i16s(const uint8_t *at, int16_t *numbers, uint8_t count)
{
    for (; count > 0; --count, at += 2) {
        uint16_t number = get_u16(at);
        *numbers++ = (int16_t)(number < 0x8000u ? number : (int32_t)number - 0x10000);
    }
    return at;
}

/* A text must be UTF-8 without control characters; what follows its first zero means nothing. */
static bool get_text(const uint8_t *at, char *text, uint8_t size)
{
    uint8_t i = 0;
    while (i < size && at[i] != 0) {
        uint8_t lead = at[i];
        uint8_t more = lead < 0x80 ? 0 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
        uint32_t character = more == 0 ? lead : lead & (0x3Fu >> more);
        uint32_t smallest = more == 0 ? 0x20 : more == 1 ? 0xA0 : more == 2 ? 0x800 : 0x10000;
        uint8_t k;
        if ((lead >= 0x80 && lead < 0xC2) || lead > 0xF4 || more >= size - i) {
            return false;
        }
        for (k = 1; k <= more; ++k) {
            if ((at[i + k] & 0xC0) != 0x80) {
                return false;
            }
            character = character << 6 | (at[i + k] & 0x3Fu);
        }
        if (character < smallest || character == 0x7F || character > 0x10FFFF ||
            (character >= 0xD800 && character < 0xE000)) {
            return false;
        }
        for (k = 0; k <= more; ++k, ++i) {
            text[i] = (char)at[i];
        }
    }
    for (; i <= size; ++i) {
        text[i] = '\0';
    }
    return true;
}

/* generated: messages begin */
#define NO_SUCH_TYPE 0xFFu

static uint8_t fields_size(uint8_t type)
{
    switch (type) {
    case EDGEHIP_TYPE_ANGLES:
        return 20;
    case EDGEHIP_TYPE_DESCRIPTION:
        return 46;
    case EDGEHIP_TYPE_DESCRIBE:
        return 0;
    case EDGEHIP_TYPE_START:
        return 0;
    case EDGEHIP_TYPE_STOP:
        return 0;
    case EDGEHIP_TYPE_RATE:
        return 4;
    case EDGEHIP_TYPE_CYCLE_ESTIMATE:
        return 73;
    case EDGEHIP_TYPE_CUE:
        return 8;
    case EDGEHIP_TYPE_SAMPLE_ESTIMATE:
        return 41;
    default:
        return NO_SUCH_TYPE;
    }
}

size_t edgehip_encode_angles(uint8_t *frame, uint32_t sequence, uint32_t device_us,
    const struct edgehip_angles *message)
{
    uint8_t *at = put_header(frame, EDGEHIP_TYPE_ANGLES, sequence, device_us);
    at = put_i16s(at, message->angles_deg_x100, 10);
    return seal(frame, at);
}

bool edgehip_read_angles(const struct edgehip_decoder *decoder,
    struct edgehip_angles *message)
{
    const uint8_t *at = decoder->payload + HEADER_SIZE;
    if (decoder->type != EDGEHIP_TYPE_ANGLES) {
        return false;
    }
    at = get_i16s(at, message->angles_deg_x100, 10);
    return true;
}

size_t edgehip_encode_description(uint8_t *frame, uint32_t sequence, uint32_t device_us,
    const struct edgehip_description *message)
{
    uint8_t *at = put_header(frame, EDGEHIP_TYPE_DESCRIPTION, sequence, device_us);
    at = put_u32s(at, &message->rate_hz_x1000, 1);
    at = put_u16s(at, &message->channels, 1);
    at = put_text(at, message->name, 24);
    at = put_text(at, message->firmware, 16);
    return seal(frame, at);
}

bool edgehip_read_description(const struct edgehip_decoder *decoder,
    struct edgehip_description *message)
{
    const uint8_t *at = decoder->payload + HEADER_SIZE;
    if (decoder->type != EDGEHIP_TYPE_DESCRIPTION) {
        return false;
    }
    at = get_u32s(at, &message->rate_hz_x1000, 1);
    at = get_u16s(at, &message->channels, 1);
    if (!get_text(at, message->name, 24)) {
        return false;
    }
    at += 24;
    if (!get_text(at, message->firmware, 16)) {
        return false;
    }
    at += 16;
    return true;
}

size_t edgehip_encode_describe(uint8_t *frame, uint32_t sequence, uint32_t device_us)
{
    return seal(frame, put_header(frame, EDGEHIP_TYPE_DESCRIBE, sequence, device_us));
}

size_t edgehip_encode_start(uint8_t *frame, uint32_t sequence, uint32_t device_us)
{
    return seal(frame, put_header(frame, EDGEHIP_TYPE_START, sequence, device_us));
}

size_t edgehip_encode_stop(uint8_t *frame, uint32_t sequence, uint32_t device_us)
{
    return seal(frame, put_header(frame, EDGEHIP_TYPE_STOP, sequence, device_us));
}

size_t edgehip_encode_rate(uint8_t *frame, uint32_t sequence, uint32_t device_us,
    const struct edgehip_rate *message)
{
    uint8_t *at = put_header(frame, EDGEHIP_TYPE_RATE, sequence, device_us);
    at = put_u32s(at, &message->rate_hz_x1000, 1);
    return seal(frame, at);
}

bool edgehip_read_rate(const struct edgehip_decoder *decoder,
    struct edgehip_rate *message)
{
    const uint8_t *at = decoder->payload + HEADER_SIZE;
    if (decoder->type != EDGEHIP_TYPE_RATE) {
        return false;
    }
    at = get_u32s(at, &message->rate_hz_x1000, 1);
    return true;
}

size_t edgehip_encode_cycle_estimate(uint8_t *frame, uint32_t sequence, uint32_t device_us,
    const struct edgehip_cycle_estimate *message)
{
    uint8_t *at = put_header(frame, EDGEHIP_TYPE_CYCLE_ESTIMATE, sequence, device_us);
    at = put_u8s(at, &message->side, 1);
    at = put_u16s(at, &message->flags, 1);
    at = put_u32s(at, &message->start_us, 1);
    at = put_u32s(at, &message->stride_us, 1);
    at = put_u16s(at, &message->stance_percent_x100, 1);
    at = put_i16s(at, message->moment_max_nm_per_kg_x1000, 3);
    at = put_i16s(at, message->moment_min_nm_per_kg_x1000, 3);
    at = put_u16s(at, message->force_max_n_per_kg_x100, 14);
    at = put_u8s(at, message->moment_max_percent_x2, 3);
    at = put_u8s(at, message->moment_min_percent_x2, 3);
    at = put_u8s(at, message->force_max_percent_x2, 14);
    return seal(frame, at);
}

bool edgehip_read_cycle_estimate(const struct edgehip_decoder *decoder,
    struct edgehip_cycle_estimate *message)
{
    const uint8_t *at = decoder->payload + HEADER_SIZE;
    if (decoder->type != EDGEHIP_TYPE_CYCLE_ESTIMATE) {
        return false;
    }
    at = get_u8s(at, &message->side, 1);
    at = get_u16s(at, &message->flags, 1);
    at = get_u32s(at, &message->start_us, 1);
    at = get_u32s(at, &message->stride_us, 1);
    at = get_u16s(at, &message->stance_percent_x100, 1);
    at = get_i16s(at, message->moment_max_nm_per_kg_x1000, 3);
    at = get_i16s(at, message->moment_min_nm_per_kg_x1000, 3);
    at = get_u16s(at, message->force_max_n_per_kg_x100, 14);
    at = get_u8s(at, message->moment_max_percent_x2, 3);
    at = get_u8s(at, message->moment_min_percent_x2, 3);
    at = get_u8s(at, message->force_max_percent_x2, 14);
    return true;
}

size_t edgehip_encode_cue(uint8_t *frame, uint32_t sequence, uint32_t device_us,
    const struct edgehip_cue *message)
{
    uint8_t *at = put_header(frame, EDGEHIP_TYPE_CUE, sequence, device_us);
    at = put_u8s(at, &message->cue, 1);
    at = put_u8s(at, &message->state, 1);
    at = put_u32s(at, &message->event_us, 1);
    at = put_u16s(at, &message->flags, 1);
    return seal(frame, at);
}

bool edgehip_read_cue(const struct edgehip_decoder *decoder,
    struct edgehip_cue *message)
{
    const uint8_t *at = decoder->payload + HEADER_SIZE;
    if (decoder->type != EDGEHIP_TYPE_CUE) {
        return false;
    }
    at = get_u8s(at, &message->cue, 1);
    at = get_u8s(at, &message->state, 1);
    at = get_u32s(at, &message->event_us, 1);
    at = get_u16s(at, &message->flags, 1);
    return true;
}

size_t edgehip_encode_sample_estimate(uint8_t *frame, uint32_t sequence, uint32_t device_us,
    const struct edgehip_sample_estimate *message)
{
    uint8_t *at = put_header(frame, EDGEHIP_TYPE_SAMPLE_ESTIMATE, sequence, device_us);
    at = put_u8s(at, &message->side, 1);
    at = put_u16s(at, &message->flags, 1);
    at = put_u32s(at, &message->sample_us, 1);
    at = put_i16s(at, message->moments_nm_per_kg_x1000, 3);
    at = put_u16s(at, message->forces_n_per_kg_x100, 14);
    return seal(frame, at);
}

bool edgehip_read_sample_estimate(const struct edgehip_decoder *decoder,
    struct edgehip_sample_estimate *message)
{
    const uint8_t *at = decoder->payload + HEADER_SIZE;
    if (decoder->type != EDGEHIP_TYPE_SAMPLE_ESTIMATE) {
        return false;
    }
    at = get_u8s(at, &message->side, 1);
    at = get_u16s(at, &message->flags, 1);
    at = get_u32s(at, &message->sample_us, 1);
    at = get_i16s(at, message->moments_nm_per_kg_x1000, 3);
    at = get_u16s(at, message->forces_n_per_kg_x100, 14);
    return true;
}
/* generated: messages end */

static void take(struct edgehip_decoder *decoder, uint8_t byte)
{
    decoder->crc = crc_step(decoder->crc, byte);
    if (decoder->size < EDGEHIP_MAX_KNOWN_PAYLOAD) {
        decoder->payload[decoder->size] = byte;
    }
    ++decoder->size;
}

static enum edgehip_event judge(struct edgehip_decoder *decoder)
{
    const uint8_t *payload = decoder->payload;

    if (decoder->distance != 0) {
        return EDGEHIP_BAD_COBS;
    }
    if (decoder->size < HEADER_SIZE + CRC_SIZE) {
        return EDGEHIP_BAD_LENGTH;
    }
    if (decoder->crc != CRC_GOOD) {
        return EDGEHIP_BAD_CRC;
    }
    if (payload[0] != EDGEHIP_VERSION) {
        return EDGEHIP_BAD_VERSION;
    }
    if (fields_size(payload[1]) == NO_SUCH_TYPE) {
        return EDGEHIP_BAD_TYPE;
    }
    if (decoder->size != HEADER_SIZE + fields_size(payload[1]) + CRC_SIZE) {
        return EDGEHIP_BAD_LENGTH;
    }
    decoder->type = payload[1];
    decoder->sequence = get_u32(payload + 2);
    decoder->device_us = get_u32(payload + 6);
    return EDGEHIP_FRAME;
}

enum edgehip_event edgehip_feed(struct edgehip_decoder *decoder, uint8_t byte)
{
    if (byte == 0) {
        bool ends = decoder->stuffed > 0 && decoder->stuffed < EDGEHIP_MAX_FRAME;
        enum edgehip_event event = ends ? judge(decoder) : EDGEHIP_NOTHING;
        decoder->stuffed = 0;
        return event;
    }
    if (decoder->stuffed == EDGEHIP_MAX_FRAME) {
        return EDGEHIP_NOTHING;
    }
    if (++decoder->stuffed == EDGEHIP_MAX_FRAME) {
        return EDGEHIP_OVERLONG;
    }
    if (decoder->stuffed == 1) {
        decoder->type = NO_TYPE; /* the last frame is overwritten from here on */
        decoder->crc = CRC_START;
        decoder->size = 0;
        decoder->distance = byte;
    } else if (decoder->distance == 0) {
        take(decoder, 0);
        decoder->distance = byte;
    } else {
        take(decoder, byte);
    }
    --decoder->distance;
    return EDGEHIP_NOTHING;
}
