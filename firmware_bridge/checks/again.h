/* Says the frame just received again: what was read, encoded anew. */
#ifndef AGAIN_H
#define AGAIN_H

#include "edgehip_wire.h"

/* Returns the length of the frame, or 0 if a value in what was received cannot be. */
static size_t say_again(const struct edgehip_decoder *decoder, uint8_t *frame)
{
#define EMPTY(message, TYPE)                                                                       \
    case EDGEHIP_TYPE_##TYPE:                                                                      \
        return edgehip_encode_##message(frame, decoder->sequence, decoder->device_us);
#define FULL(message, TYPE)                                                                        \
    case EDGEHIP_TYPE_##TYPE: {                                                                    \
        struct edgehip_##message read;                                                             \
        return edgehip_read_##message(decoder, &read)                                              \
                   ? edgehip_encode_##message(frame, decoder->sequence, decoder->device_us, &read) \
                   : 0;                                                                            \
    }
    switch (decoder->type) {
        FULL(angles, ANGLES)
        FULL(description, DESCRIPTION)
        EMPTY(describe, DESCRIBE)
        EMPTY(start, START)
        EMPTY(stop, STOP)
        FULL(rate, RATE)
        FULL(cycle_estimate, CYCLE_ESTIMATE)
        FULL(cue, CUE)
        FULL(sample_estimate, SAMPLE_ESTIMATE)
    default:
        return 0;
    }
#undef EMPTY
#undef FULL
}

#endif
