/* Feeds the decoder streams of good, damaged and random frames, and stops at the first surprise.
 *
 *     fuzz INPUTS SEED        prints what was found; exits with 1 if a damaged frame was accepted
 *
 * Built with -DLIBFUZZER and clang's -fsanitize=fuzzer it takes its inputs from there instead. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "again.h"

#define EVENTS 8

static unsigned long found[EVENTS];

static void require(int truth, const char *what)
{
    if (!truth) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}

/* What must hold for any bytes: one event for each run of bytes between delimiters, frames only
 * where there is a delimiter, a frame accepted says the same when it is said again, and none can be
 * read once another begins. Returns how many frames were accepted that are not the one sent. */
static unsigned feed_all(const uint8_t *bytes, size_t length, const uint8_t *sent, size_t sent_size)
{
    struct edgehip_decoder decoder;
    size_t i, start = 0;
    unsigned wrong = 0;
    bool whole = false; /* whether no byte but delimiters came since the last frame */

    memset(&decoder, 0, sizeof decoder);
    for (i = 0; i < length; ++i) {
        enum edgehip_event event = edgehip_feed(&decoder, bytes[i]);
        size_t run = i - start; /* bytes since the delimiter, without this one */
        bool ends = bytes[i] == 0;
        bool expected = ends ? run > 0 && run < EDGEHIP_MAX_FRAME : run == EDGEHIP_MAX_FRAME - 1;

        ++found[event];
        require((event != EDGEHIP_NOTHING) == expected, "an event too many or too few");
        require(ends || event == EDGEHIP_NOTHING || event == EDGEHIP_OVERLONG, "a frame too soon");
        if (event == EDGEHIP_FRAME) {
            uint8_t again[EDGEHIP_MAX_FRAME];
            size_t size = say_again(&decoder, again);
            require(size <= run + 1, "a frame grew");
            require(size == 0 || decoder.type == EDGEHIP_TYPE_DESCRIPTION ||
                        memcmp(again, bytes + start, size) == 0,
                    "a frame says something else when it is said again");
            wrong += run + 1 != sent_size || memcmp(sent, bytes + start, sent_size) != 0;
        }
        whole = event == EDGEHIP_FRAME || (whole && ends);
        require(whole || decoder.type == 0, "a frame can be read that is overwritten");
        if (ends) {
            start = i + 1;
        }
    }
    return wrong;
}

#ifdef LIBFUZZER

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    feed_all(bytes, length, NULL, 0);
    return 0;
}

#else

/* Marsaglia, "Xorshift RNGs", J Stat Softw 8(14), 2003. */
static uint64_t state;

static uint32_t below(uint32_t limit)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 32) * limit >> 32);
}

static uint8_t random_byte(void)
{
    /* Zeros, ones and full bytes are where stuffing has its corners. */
    static const uint8_t corners[] = {0x00, 0x01, 0xFE, 0xFF};
    return below(4) == 0 ? corners[below(4)] : (uint8_t)below(256);
}

/* Encode a message of random contents. */
static size_t random_frame(uint8_t *frame)
{
    struct edgehip_decoder heard;
    static const uint8_t types[] = {
        EDGEHIP_TYPE_ANGLES, EDGEHIP_TYPE_ANGLES,         EDGEHIP_TYPE_DESCRIPTION,
        EDGEHIP_TYPE_START,  EDGEHIP_TYPE_RATE,           EDGEHIP_TYPE_CYCLE_ESTIMATE,
        EDGEHIP_TYPE_CUE,    EDGEHIP_TYPE_SAMPLE_ESTIMATE};
    size_t i;

    heard.type = types[below(sizeof types)];
    heard.sequence = below(UINT32_MAX);
    heard.device_us = below(UINT32_MAX);
    for (i = 0; i < sizeof heard.payload; ++i) {
        heard.payload[i] = random_byte();
        if (heard.type == EDGEHIP_TYPE_DESCRIPTION && i >= 16) {
            heard.payload[i] = below(8) == 0 ? 0 : (uint8_t)(0x20 + below(0x5F));
        }
    }
    return say_again(&heard, frame);
}

/* Damage a frame in place; return its new length. The delimiter stays at its end. */
static size_t damage(uint8_t *frame, size_t length)
{
    size_t inside = length - 1;
    size_t at = below((uint32_t)inside);
    size_t count = 1 + below(4);
    size_t i;

    switch (below(4)) {
    case 0: /* bits */
        for (i = 0; i < count; ++i) {
            frame[below((uint32_t)inside)] ^= (uint8_t)(1u << below(8));
        }
        return length;
    case 1: /* a burst */
        for (i = at; i < inside && i < at + 8; ++i) {
            frame[i] = random_byte();
        }
        return length;
    case 2: /* bytes lost */
        count = count < length - at ? count : length - 1 - at;
        memmove(frame + at, frame + at + count, length - at - count);
        return length - count;
    default: /* a byte too many */
        memmove(frame + at + 1, frame + at, length - at);
        frame[at] = random_byte();
        return length + 1;
    }
}

int main(int arguments, char **argument)
{
    unsigned long inputs = arguments > 1 ? strtoul(argument[1], NULL, 10) : 100000;
    unsigned long i, wrong = 0;

    state = arguments > 2 ? strtoull(argument[2], NULL, 10) * 2 + 1 : 1;
    for (i = 0; i < inputs; ++i) {
        uint8_t good[EDGEHIP_MAX_FRAME + 1], bad[EDGEHIP_MAX_FRAME + 1], noise[600];
        size_t size = random_frame(good), length, k;
        unsigned long before = found[EDGEHIP_FRAME];

        wrong += feed_all(good, size, good, size);
        require(found[EDGEHIP_FRAME] == before + 1, "a good frame was refused");

        memcpy(bad, good, size);
        wrong += feed_all(bad, damage(bad, size), good, size);

        length = i % 8 == 0 ? below(sizeof noise) : 0;
        for (k = 0; k < length; ++k) {
            noise[k] = (uint8_t)(random_byte() | (i % 16 == 0));
        }
        wrong += feed_all(noise, length, good, size);
    }
    printf("%lu good frames, all accepted, and as many damaged ones\n", inputs);
    printf("%lu overlong, %lu bad_cobs, %lu bad_length, %lu bad_crc, %lu bad_version, "
           "%lu bad_type\n",
           found[EDGEHIP_OVERLONG], found[EDGEHIP_BAD_COBS], found[EDGEHIP_BAD_LENGTH],
           found[EDGEHIP_BAD_CRC], found[EDGEHIP_BAD_VERSION], found[EDGEHIP_BAD_TYPE]);
    printf("%lu wrongly accepted; a 32-bit checksum lets %.4f of %lu pass by chance\n", wrong,
           (double)found[EDGEHIP_BAD_CRC] / 4294967296.0, found[EDGEHIP_BAD_CRC]);
    return wrong > 0;
}

#endif
