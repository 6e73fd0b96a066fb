/* Runs a sketch of the Arduino library on a computer, at times and on a port that a test makes up.
 *
 *     sketch NAME RATE_HZ BEGINS_US
 *
 * Reads lines "MICROSECONDS ROOM BYTES" and runs loop() once for each: what the clock says, how many
 * bytes the port takes, and what the host says meanwhile, in hexadecimal after a point. Prints for
 * how many milliseconds the host is silent then, and what the port took, also after a point. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "EdgeHip.h"

#define SIZE 4096

static unsigned long long now_us;
static uint8_t heard[SIZE], taken[SIZE];
static size_t heard_size, heard_so_far, taken_size, room;

uint32_t micros() { return (uint32_t)now_us; }
uint32_t millis() { return (uint32_t)(now_us / 1000); }

int Stream::available() { return (int)(heard_size - heard_so_far); }
int Stream::read() { return heard[heard_so_far++]; }
size_t Stream::write(uint8_t byte) { return write(&byte, 1); }

size_t Stream::write(const uint8_t *bytes, size_t size) {
  size = size < room ? size : room;
  memcpy(taken + taken_size, bytes, size);
  taken_size += size;
  room -= size;
  return size;
}

static void loop(EdgeHip &hip) {
  if (hip.sampleDue()) {
    hip.setAngle(EDGEHIP_ANGLE_HIP_FLEXION_R, 1.5f);
    hip.send();
  }
}

int main(int, char **argument) {
  static char line[2 * SIZE], said[2 * SIZE];
  static Stream port;
  EdgeHip hip(port, argument[1], "1.0");

  now_us = strtoull(argument[3], NULL, 10);
  hip.begin((float)atof(argument[2]));
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
    loop(hip);
    printf("%lu .", (unsigned long)hip.silentMs());
    for (size_t i = 0; i < taken_size; ++i) {
      printf("%02x", taken[i]);
    }
    putchar('\n');
  }
  return 0;
}
