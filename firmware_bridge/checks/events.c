/* Reads lines of bytes in hexadecimal and prints what a fresh decoder makes of each line: the name
 * of a fault, or the frame, read and encoded again, in hexadecimal. */
#include <stdio.h>
#include <string.h>

#include "again.h"

static const char *const names[] = {"",           "",        "overlong",    "bad_cobs",
                                    "bad_length", "bad_crc", "bad_version", "bad_type"};

static void print_event(const struct edgehip_decoder *decoder, enum edgehip_event event)
{
    uint8_t frame[EDGEHIP_MAX_FRAME];
    size_t i, length;

    if (event != EDGEHIP_FRAME) {
        printf("%s ", names[event]);
        return;
    }
    length = say_again(decoder, frame);
    for (i = 0; i < length; ++i) {
        printf("%02x", frame[i]);
    }
    printf(length > 0 ? " " : "bad_value ");
}

int main(void)
{
    static char line[1 << 16];

    while (fgets(line, sizeof line, stdin) != NULL) {
        struct edgehip_decoder decoder;
        const char *at = line;
        unsigned byte;

        memset(&decoder, 0, sizeof decoder);
        for (; sscanf(at, "%2x", &byte) == 1; at += 2) {
            enum edgehip_event event = edgehip_feed(&decoder, (uint8_t)byte);
            if (event != EDGEHIP_NOTHING) {
                print_event(&decoder, event);
            }
        }
        putchar('\n');
    }
    return 0;
}
