// The shortest device: one knee's angle from a potentiometer (270 degrees) on A0, a hundred times a
// second. The LED is the host's first cue.
#include <EdgeHip.h>

EdgeHip hip(Serial, "potentiometer", "1.0");
static uint32_t toldMs;

void setup() {
  Serial.begin(115200);
  pinMode(LED_BUILTIN, OUTPUT);
  hip.onCue([](const edgehip_cue &cue) {
    if (cue.cue == 0) {
      toldMs = millis();
      digitalWrite(LED_BUILTIN, cue.state ? HIGH : LOW);
    }
  });
  hip.begin(100);
  hip.dropWhenFull(); // else a host that stops reading may stop this loop
}

void loop() {
  if (hip.sampleDue()) {
    hip.setAngle(EDGEHIP_ANGLE_KNEE_ANGLE_R, analogRead(A0) * 270.0f / 1023.0f - 135.0f);
    hip.send();
  }
  if (millis() - toldMs > 2000) {
    digitalWrite(LED_BUILTIN, LOW); // a host that died cannot switch it off
  }
}
