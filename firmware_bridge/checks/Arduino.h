/* As much of Arduino as the Arduino library needs; sketch.cpp plays it on a computer. */
#ifndef ARDUINO_H
#define ARDUINO_H

#include <stddef.h>
#include <stdint.h>

class Stream {
public:
  int available();
  int read();
  size_t write(uint8_t byte);
  size_t write(const uint8_t *bytes, size_t size);
};

uint32_t micros();
uint32_t millis();

#endif
