/* Counts the cycles of encoding and decoding one angle frame on an ATmega328P, simulated or real:
 * timer 1 counts the processor's clock. Prints one line per frame, again and again: cycles to
 * encode, to decode. */
#include <avr/io.h>
#include <stddef.h>

#include "edgehip_wire.h"
#include "walk_table.h"

static void print(uint16_t number, char end)
{
    char digits[6];
    uint8_t i = 0;
    do {
        digits[i++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    for (;;) {
        while ((UCSR0A & (1 << UDRE0)) == 0) {
        }
        if (i == 0) {
            break;
        }
        UDR0 = (uint8_t)digits[--i];
    }
    UDR0 = (uint8_t)end;
}

int main(void)
{
    static struct edgehip_decoder decoder;
    static uint8_t frame[EDGEHIP_ANGLES_FRAME];
    static struct edgehip_angles angles;

    UCSR0A = 1 << U2X0;
    UCSR0B = 1 << TXEN0;
    UBRR0 = 16; /* 115200 baud at 16 MHz */
    TCCR1B = 1 << CS10;
    for (;;) {
        uint8_t row;
        for (row = 0; row < WALK_SAMPLES; ++row) {
            uint16_t t0, t1, t2, t3;
            uint8_t i;
            for (i = 0; i < 10; ++i) {
                angles.angles_deg_x100[i] = (int16_t)pgm_read_word(&walk_table[row][i]);
            }
            t0 = TCNT1;
            t1 = TCNT1;
            edgehip_encode_angles(frame, row, row * 10000ul, &angles);
            t2 = TCNT1;
            for (i = 0; i < EDGEHIP_ANGLES_FRAME; ++i) {
                edgehip_feed(&decoder, frame[i]);
            }
            t3 = TCNT1;
            print((uint16_t)(t2 - t1 - (t1 - t0)), ' ');
            print((uint16_t)(t3 - t2 - (t1 - t0)), '\n');
        }
    }
}
