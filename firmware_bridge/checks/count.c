/* Counts the instructions of encoding and decoding one angle frame on an emulated Cortex-M4.
 *
 * To be run by QEMU's mps2-an386 with "-icount shift=6": one instruction is then 64 ns of emulated
 * time, one tick of SysTick 40 ns. Prints one line per frame: instructions to encode, to decode.
 */
#include <stddef.h>

#include "edgehip_wire.h"
#include "mps2.h"
#include "walk_table.h"

static void print(uint32_t number, char end)
{
    char digits[12];
    int i = 0;
    do {
        digits[i++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (i > 0) {
        UART0->data = (uint32_t)digits[--i];
    }
    UART0->data = (uint32_t)end;
}

static uint32_t instructions(uint32_t before, uint32_t after)
{
    uint32_t ticks = (before - after) & 0xFFFFFFu;
    return (ticks * 40 + 32) / 64;
}

int main(void)
{
    static struct edgehip_decoder decoder;
    static uint8_t frame[EDGEHIP_ANGLES_FRAME];
    static struct edgehip_angles angles;
    uint32_t sequence;

    UART0->divider = 16;
    UART0->control = UART_TX_ENABLE;
    SYSTICK->reload = 0xFFFFFFu;
    SYSTICK->value = 0;
    SYSTICK->control = SYSTICK_COUNT_CLOCK;
    (void)SYSTICK->value; /* the first read after a start is not to be trusted */
    for (sequence = 0; sequence < WALK_SAMPLES; ++sequence) {
        uint32_t t0, t1, t2, t3;
        size_t i;
        for (i = 0; i < 10; ++i) {
            angles.angles_deg_x100[i] = walk_table[sequence][i];
        }
        t0 = SYSTICK->value;
        t1 = SYSTICK->value;
        edgehip_encode_angles(frame, sequence, sequence * 10000u, &angles);
        t2 = SYSTICK->value;
        for (i = 0; i < EDGEHIP_ANGLES_FRAME; ++i) {
            edgehip_feed(&decoder, frame[i]);
        }
        t3 = SYSTICK->value;
        print(instructions(t1, t2) - instructions(t0, t1), ' ');
        print(instructions(t2, t3) - instructions(t0, t1), '\n');
    }
    for (;;) {
        UART0->data = 4; /* end of transmission */
    }
}
