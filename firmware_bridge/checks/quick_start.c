/* Plays the board of the README's quick start, and prints whether its LED is lit
 *
 *     after a cue that was heard while the sensors were read,
 *     after eight seconds with cues,
 *     after two more with its own frames, echoed, and those of a host that knows of no cue. */
#include <stdio.h>

#include "edgehip_wire.h"

#define PERIOD_US 10000u
#define READING_US 1500u

uint32_t micros(void);
void read_sensors(struct edgehip_angles *angles);
void uart_write(const uint8_t *bytes, size_t length);
void set_led(bool on);
void on_timer(void);
void on_byte(uint8_t byte);

static uint32_t now_us = 4290000000u; /* five seconds before it wraps */
static bool led, others;
static uint8_t said[EDGEHIP_MAX_FRAME];
static size_t said_size;

uint32_t micros(void) { return now_us; }
void set_led(bool on) { led = on; }

static void hear(const uint8_t *bytes, size_t length)
{
    size_t i;
    for (i = 0; i < length; ++i) {
        on_byte(bytes[i]);
    }
}

/* The receive interrupt comes in the middle of this. */
void read_sensors(struct edgehip_angles *angles)
{
    size_t i;
    for (i = 0; i < 10; ++i) {
        angles->angles_deg_x100[i] = EDGEHIP_UNKNOWN_I16;
    }
    now_us += READING_US;
    hear(said, said_size);
    said_size = 0;
}

void uart_write(const uint8_t *bytes, size_t length)
{
    if (others) {
        hear(bytes, length);
    }
}

static void run(unsigned periods, unsigned cue_every)
{
    static const struct edgehip_cue on = {0, 1, 0, 0};
    unsigned i;
    for (i = 0; i < periods; ++i) {
        if (cue_every != 0 && i % cue_every == 0) {
            said_size = edgehip_encode_cue(said, i, 0, &on);
        } else if (others) {
            said_size = edgehip_encode_start(said, i, 0);
        }
        on_timer();
        now_us += PERIOD_US - READING_US;
    }
    printf("%d\n", led);
}

int main(void)
{
    run(1, 1);
    run(800, 100);
    others = true;
    run(203, 0);
    return 0;
}
