/* As much of Arduino as the Arduino library and its smallest sketch need; see board.cpp. */
#ifndef ARDUINO_H
#define ARDUINO_H

#include <stddef.h>
#include <stdint.h>

#define HIGH 1
#define LOW 0
#define OUTPUT 1
#define LED_BUILTIN 13
#define A0 14

class Stream {
public:
  int available();
  int availableForWrite();
  int read();
  size_t write(uint8_t byte);
  size_t write(const uint8_t *bytes, size_t size);
};

class SerialPort : public Stream {
public:
  void begin(unsigned long) {}
};

extern SerialPort Serial;

uint32_t micros();
uint32_t millis();
void pinMode(uint8_t pin, uint8_t mode);
void digitalWrite(uint8_t pin, uint8_t level);
int analogRead(uint8_t pin);

#endif
