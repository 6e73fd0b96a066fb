// The shortest device: one knee's angle from a potentiometer on A0, a hundred times a second.
#include <EdgeHip.h>

EdgeHip hip(Serial, "potentiometer", "1.0");

void setup() {
  Serial.begin(115200);
  pinMode(LED_BUILTIN, OUTPUT);
  hip.onCue([](const edgehip_cue &cue) { digitalWrite(LED_BUILTIN, cue.state ? HIGH : LOW); });
  hip.begin(100);
}

void loop() {
  if (hip.sampleDue()) {
    hip.setAngle(EDGEHIP_ANGLE_KNEE_ANGLE_R, analogRead(A0) * 0.2639f - 135.0f);
    hip.send();
  }
}
