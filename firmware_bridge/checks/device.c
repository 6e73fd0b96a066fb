/* What a device needs of the library, to see what that costs: -DSEND, -DLISTEN, or both. */
#include "edgehip_wire.h"

extern volatile uint8_t port;
void device(void);

#ifdef SEND
static uint8_t frame[EDGEHIP_DESCRIPTION_FRAME];
#endif
#ifdef LISTEN
static struct edgehip_decoder decoder;
#endif

__attribute__((used)) void device(void)
{
#ifdef SEND
    struct edgehip_angles angles = {{port}};
    struct edgehip_description description = {port, port, {(char)port}, {(char)port}};
    size_t i, size = edgehip_encode_angles(frame, port, port, &angles);
    size += edgehip_encode_description(frame, port, port, &description);
    for (i = 0; i < size; ++i) {
        port = frame[i];
    }
#endif
#ifdef LISTEN
    while (edgehip_feed(&decoder, port) == EDGEHIP_FRAME) {
        struct edgehip_rate rate;
        struct edgehip_cue cue;
        struct edgehip_cycle_estimate estimate;
        if (edgehip_read_rate(&decoder, &rate)) {
            port = (uint8_t)rate.rate_hz_x1000;
        } else if (edgehip_read_cue(&decoder, &cue)) {
            port = cue.state;
        } else if (edgehip_read_cycle_estimate(&decoder, &estimate)) {
            port = (uint8_t)estimate.moment_max_nm_per_kg_x1000[0];
        }
    }
#endif
    port = 0;
}
