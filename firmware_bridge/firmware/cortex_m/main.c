/* Walks on an Arm MPS2 (AN386, Cortex-M4), real or in QEMU: sends joint angles, obeys the host, and
 * lights two LEDs: the first while cue 0 is on, the second after a step with a high hip moment.
 *
 * The SysTick interrupt takes samples, the UART's interrupts listen and send, main encodes. A
 * sample is stamped when it is taken, not when it is sent.
 */
#include <stdbool.h>
#include <stddef.h>

#include "edgehip_wire.h"
#include "mps2.h"
#include "walk_table.h"

#define NAME "edgehip walker, MPS2"
#define BAUD 460800u
#define TICKS_PER_US (CLOCK_HZ / 1000000u)
#define FIRST_PERIOD (CLOCK_HZ / 100u)

/* SysTick counts to 2^24 at most; the UART carries some 1200 angle frames a second. */
#define MIN_RATE_HZ_X1000 2000u
#define MAX_RATE_HZ_X1000 500000u

#define LED_CUE 1u
#define LED_MOMENT 2u
#define HIGH_MOMENT_NM_PER_KG_X1000 500
/* Nothing stays on because a host died: a cue goes off that is not told again for so long, and an
 * estimate holds for one and a half strides. */
#define CUE_TICKS (2u * CLOCK_HZ)
#define LONGEST_STRIDE_US 3000000u

#define ALL_CHANNELS ((1u << 10) - 1u)

/* Interrupts write these; main takes them with interrupts off. */
static volatile uint64_t ticks; /* at the last sample */
static volatile uint32_t samples_due;
static volatile bool describe_due = true;
static volatile bool sending = true;
static volatile uint32_t rate_hz_x1000 = 100000;
static volatile uint32_t wanted_period = FIRST_PERIOD; /* in ticks */
static uint64_t cue_ends_at;
static uint64_t moment_ends_at;

static uint32_t sequence;

static void interrupts_off(void)
{
    __asm volatile("cpsid i" ::: "memory");
}

static void interrupts_on(void)
{
    __asm volatile("cpsie i" ::: "memory");
}

/* The send queue: main fills it, the transmit interrupt empties it. */

static uint8_t queue[512];
static volatile size_t queued, sent;

void uart_transmit_interrupt(void)
{
    UART0->interrupts = 1;
    if (sent != queued && (UART0->state & UART_TX_FULL) == 0) {
        UART0->data = queue[sent % sizeof queue];
        ++sent;
    }
}

/* A frame that does not fit is dropped whole; the host sees its sequence number missing. */
static void send(const uint8_t *frame, size_t length)
{
    size_t i;

    interrupts_off();
    if (queued - sent + length <= sizeof queue) {
        for (i = 0; i < length; ++i) {
            queue[(queued + i) % sizeof queue] = frame[i];
        }
        queued += length;
        uart_transmit_interrupt();
    }
    interrupts_on();
}

/* Listening. */

static void set_led(uint32_t led, bool on)
{
    LEDS = on ? LEDS | led : LEDS & ~led;
}

static void set_rate(uint32_t wanted)
{
    if (wanted < MIN_RATE_HZ_X1000) {
        wanted = MIN_RATE_HZ_X1000;
    }
    if (wanted > MAX_RATE_HZ_X1000) {
        wanted = MAX_RATE_HZ_X1000;
    }
    rate_hz_x1000 = wanted;
    wanted_period = (uint32_t)((uint64_t)CLOCK_HZ * 1000u / wanted);
}

static void obey(const struct edgehip_decoder *heard)
{
    struct edgehip_rate rate;
    struct edgehip_cue cue;
    struct edgehip_cycle_estimate estimate;

    switch (heard->type) {
    case EDGEHIP_TYPE_DESCRIBE:
        describe_due = true;
        break;
    case EDGEHIP_TYPE_START:
        sending = true;
        break;
    case EDGEHIP_TYPE_STOP:
        sending = false;
        break;
    case EDGEHIP_TYPE_RATE:
        if (edgehip_read_rate(heard, &rate)) {
            set_rate(rate.rate_hz_x1000);
            describe_due = true; /* it says which rate it really is */
        }
        break;
    case EDGEHIP_TYPE_CUE:
        if (edgehip_read_cue(heard, &cue) && cue.cue == 0) {
            cue_ends_at = ticks + CUE_TICKS;
            set_led(LED_CUE, cue.state != 0);
        }
        break;
    case EDGEHIP_TYPE_CYCLE_ESTIMATE:
        if (edgehip_read_cycle_estimate(heard, &estimate)) {
            int16_t peak = estimate.moment_max_nm_per_kg_x1000[EDGEHIP_MOMENT_HIP_FLEXION];
            /* What is not to be acted upon lights nothing; an unknown peak is below any limit. */
            bool trusted = (estimate.flags & EDGEHIP_DISTRUST) == 0;
            uint32_t stride_us = estimate.stride_us;
            if (stride_us > LONGEST_STRIDE_US) {
                stride_us = LONGEST_STRIDE_US;
            }
            moment_ends_at = ticks + (uint64_t)(stride_us + stride_us / 2u) * TICKS_PER_US;
            set_led(LED_MOMENT, trusted && peak > HIGH_MOMENT_NM_PER_KG_X1000);
        }
        break;
    default:
        break;
    }
}

void uart_receive_interrupt(void)
{
    static struct edgehip_decoder decoder;

    UART0->interrupts = 2;
    while ((UART0->state & UART_RX_FULL) != 0) {
        if (edgehip_feed(&decoder, (uint8_t)UART0->data) == EDGEHIP_FRAME) {
            obey(&decoder);
        }
    }
}

/* Sampling. */

void systick_interrupt(void)
{
    /* The timer took its next period when this one ended, so a new one comes after that. */
    static uint32_t period = FIRST_PERIOD, next_period = FIRST_PERIOD;

    ticks += period;
    period = next_period;
    next_period = wanted_period;
    SYSTICK->reload = next_period - 1u;
    ++samples_due;
    if (ticks > cue_ends_at) {
        set_led(LED_CUE, false);
    }
    if (ticks > moment_ends_at) {
        set_led(LED_MOMENT, false);
    }
}

/* Where a real device reads its sensors: here the angles of a stride, between its table's rows. */
static void read_angles(uint64_t time_us, struct edgehip_angles *angles)
{
    uint32_t phase_us = (uint32_t)(time_us % WALK_STRIDE_US);
    uint32_t row = phase_us / WALK_SAMPLE_US;
    int32_t part_us = (int32_t)(phase_us % WALK_SAMPLE_US);
    const int16_t *from = walk_table[row];
    const int16_t *to = walk_table[(row + 1u) % WALK_SAMPLES];
    size_t i;

    for (i = 0; i < 10; ++i) {
        int32_t step = (to[i] - from[i]) * part_us / (int32_t)WALK_SAMPLE_US;
        angles->angles_deg_x100[i] = (int16_t)(from[i] + step);
    }
}

static void send_angles(uint64_t time_us)
{
    uint8_t frame[EDGEHIP_ANGLES_FRAME];
    struct edgehip_angles angles;

    read_angles(time_us, &angles);
    send(frame, edgehip_encode_angles(frame, sequence++, (uint32_t)time_us, &angles));
}

static void send_description(uint64_t time_us)
{
    uint8_t frame[EDGEHIP_DESCRIPTION_FRAME];
    struct edgehip_description description = {
        .rate_hz_x1000 = rate_hz_x1000,
        .channels = ALL_CHANNELS,
        .name = NAME,
        .firmware = "1.0 leds=..",
    };

    description.firmware[9] = (LEDS & LED_CUE) != 0 ? '1' : '0';
    description.firmware[10] = (LEDS & LED_MOMENT) != 0 ? '1' : '0';
    send(frame, edgehip_encode_description(frame, sequence++, (uint32_t)time_us, &description));
}

int main(void)
{
    static const uint8_t delimiter = 0;

    UART0->divider = CLOCK_HZ / BAUD;
    UART0->control = UART_TX_ENABLE | UART_RX_ENABLE | UART_TX_INTERRUPT | UART_RX_INTERRUPT;
    NVIC_ENABLE = 3;
    SYSTICK->reload = FIRST_PERIOD - 1u;
    SYSTICK->value = 0;
    SYSTICK->control = SYSTICK_COUNT_CLOCK | SYSTICK_INTERRUPT;

    send(&delimiter, 1); /* ends whatever the host heard before this device began */
    for (;;) {
        bool describe;
        uint32_t due;
        uint64_t time_us;

        interrupts_off();
        if (samples_due == 0 && !describe_due) {
            __asm volatile("wfi"); /* an interrupt wakes it although it waits until they are on */
        }
        due = sending ? samples_due : 0;
        describe = describe_due;
        samples_due = 0;
        describe_due = false;
        time_us = ticks / TICKS_PER_US;
        interrupts_on();
        if (due > 0) {
            sequence += due - 1u; /* those there was no time for: the host sees the loss */
            send_angles(time_us);
        }
        if (describe) {
            send_description(time_us);
        }
    }
}
