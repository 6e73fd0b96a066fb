/* Plays a board on a computer, at times and with a port that a test makes up; to be linked with a
 * sketch whose device is called hip.
 *
 * Reads lines "MICROSECONDS ROOM BYTES" and runs loop() once for each: what the clock says, how many
 * bytes the port takes, and what the host says meanwhile, in hexadecimal after a point. Prints for
 * how many milliseconds the host is silent then, whether the LED is lit, how many samples were
 * dropped, and what the port took, also after a point. What the sketch is given is in arguments. */
#include <stdio.h>
#include <string.h>

#include "EdgeHip.h"

#define SIZE 4096

extern EdgeHip hip;
void setup();
void loop();

SerialPort Serial;
char **arguments;

static unsigned long long now_us;
static uint8_t heard[SIZE], taken[SIZE];
static size_t heard_size, heard_so_far, taken_size, room;
static bool led;

uint32_t micros() { return (uint32_t)now_us; }
uint32_t millis() { return (uint32_t)(now_us / 1000); }
void pinMode(uint8_t, uint8_t) {}
void digitalWrite(uint8_t, uint8_t level) { led = level == HIGH; }
int analogRead(uint8_t) { return 512; }

int Stream::available() { return (int)(heard_size - heard_so_far); }
int Stream::availableForWrite() { return (int)room; }
int Stream::read() { return heard[heard_so_far++]; }
size_t Stream::write(uint8_t byte) { return write(&byte, 1); }

size_t Stream::write(const uint8_t *bytes, size_t size) {
  size = size < room ? size : room;
  memcpy(taken + taken_size, bytes, size);
  taken_size += size;
  room -= size;
  return size;
}

int main(int, char **given) {
  static char line[2 * SIZE], said[2 * SIZE];
  bool begun = false;

  arguments = given + 1;
  while (fgets(line, sizeof line, stdin) != NULL) {
    unsigned byte;
    said[0] = '\0';
    if (sscanf(line, "%llu %zu .%8191s", &now_us, &room, said) < 2) {
      return 1;
    }
    heard_size = heard_so_far = taken_size = 0;
    for (const char *at = said; sscanf(at, "%2x", &byte) == 1; at += 2) {
      heard[heard_size++] = (uint8_t)byte;
    }
    if (!begun) {
      setup();
      begun = true;
    }
    loop();
    printf("%lu %d %u .", (unsigned long)hip.silentMs(), led, (unsigned)hip.dropped);
    for (size_t i = 0; i < taken_size; ++i) {
      printf("%02x", taken[i]);
    }
    putchar('\n');
  }
  return 0;
}
