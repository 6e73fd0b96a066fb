// Walks without sensors: sends all ten angles of a stride from a table, at any rate the host asks.
//
// The built-in LED is lit while cue 0 is on, an LED at pin 12 after a stride with a high hip
// flexion moment; the firmware's text says which are. Nothing stays on because a host died: the first
// goes out when the cue is not told again for two seconds, the second when no new estimate comes for
// one and a half strides.
#include <EdgeHip.h>

#include "walk_table.h"

static const uint8_t LED_CUE = LED_BUILTIN;
static const uint8_t LED_MOMENT = 12;
static const int16_t HIGH_MOMENT_NM_PER_KG_X1000 = 500;
static const uint32_t CUE_MS = 2000;
static const uint32_t LONGEST_STRIDE_US = 3000000;

static char firmware[] = "1.0 leds=00";

static uint32_t cueSinceMs, momentSinceMs, momentForMs;

EdgeHip hip(Serial, "edgehip walker, Arduino", firmware);

static void switchLed(uint8_t led, bool on) {
  digitalWrite(led, on ? HIGH : LOW);
  firmware[led == LED_CUE ? 9 : 10] = on ? '1' : '0';
}

static void onCue(const edgehip_cue &cue) {
  if (cue.cue == 0) {
    cueSinceMs = millis();
    switchLed(LED_CUE, cue.state != 0);
  }
}

static void onEstimate(const edgehip_cycle_estimate &estimate) {
  int16_t peak = estimate.moment_max_nm_per_kg_x1000[EDGEHIP_MOMENT_HIP_FLEXION];
  bool trusted = (estimate.flags & EDGEHIP_DISTRUST) == 0;
  uint32_t strideUs = min(estimate.stride_us, LONGEST_STRIDE_US);
  momentSinceMs = millis();
  momentForMs = strideUs / 1000 * 3 / 2;
  // What is not to be acted upon lights nothing; an unknown peak is below any limit.
  switchLed(LED_MOMENT, trusted && peak > HIGH_MOMENT_NM_PER_KG_X1000);
}

static int16_t fromTable(uint8_t row, uint8_t angle) {
#ifdef __AVR__
  return (int16_t)pgm_read_word(&walk_table[row][angle]);
#else
  return walk_table[row][angle];
#endif
}

void setup() {
  Serial.begin(115200);
  pinMode(LED_CUE, OUTPUT);
  pinMode(LED_MOMENT, OUTPUT);
  hip.onCue(onCue);
  hip.onEstimate(onEstimate);
  hip.begin(100);
}

void loop() {
  static uint32_t phaseUs, lastUs;

  if (millis() - cueSinceMs > CUE_MS) {
    switchLed(LED_CUE, false);
  }
  if (millis() - momentSinceMs > momentForMs) {
    switchLed(LED_MOMENT, false);
  }
  if (!hip.sampleDue()) {
    return;
  }
  phaseUs = (phaseUs + (hip.sampledUs() - lastUs)) % WALK_STRIDE_US;
  lastUs = hip.sampledUs();
  uint8_t row = phaseUs / WALK_SAMPLE_US;
  uint8_t next = (row + 1) % WALK_SAMPLES;
  int32_t partUs = phaseUs % WALK_SAMPLE_US;
  for (uint8_t i = 0; i < 10; ++i) {
    int32_t from = fromTable(row, i);
    int32_t step = (fromTable(next, i) - from) * partUs / (int32_t)WALK_SAMPLE_US;
    hip.setAngleX100((edgehip_angle)i, (int16_t)(from + step));
  }
  hip.send();
}
