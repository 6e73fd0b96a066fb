// A device of edgehip: samples when it is time, sends what was measured, obeys the host.
#ifndef EDGEHIP_H
#define EDGEHIP_H

#include <Arduino.h>

#include "edgehip_wire.h"

class EdgeHip {
public:
  // Texts (UTF-8, without control characters; 24 and 16 bytes are sent) are not copied; a firmware
  // text that changes shows the next time it is asked for.
  EdgeHip(Stream &port, const char *name, const char *firmware);

  // Start sampling. The host may ask for other rates, up to maxRateHz (or rateHz, if that is more).
  void begin(float rateHz = 100, float maxRateHz = 200);

  // Listen, and say whether a sample should be taken now. Call it as often as you can: an Uno's
  // port overflows within 5 ms at 115200 baud.
  bool sampleDue();

  // The time of the sample that is to be measured and sent now, from micros().
  uint32_t sampledUs() const { return sampled_us_; }

  // Say one joint angle in degrees (OpenSim's signs), for the sample that is due. Angles that are
  // not set for a sample are sent as not measured.
  void setAngle(edgehip_angle angle, float degrees);
  void setAngleX100(edgehip_angle angle, int16_t hundredths);

  // Send the sample, with that time. Waits as long as the port does when its buffer is full, unless
  // dropWhenFull() was called: what must go off in time even then is switched by a timer.
  void send();

  // From now on, drop a sample for which the port's buffer has no room, and count it, so that nobody
  // who does not read holds up loop(). The host sees its number missing. That begins once the port
  // has told (availableForWrite()) of room for the longest frame, 62 bytes and one: an Uno's does when
  // it is empty. With one that never does, send() goes on waiting.
  void dropWhenFull() { drop_when_full_ = true; }

  // What to call when the host says something. Called from within sampleDue(). What a cue switched
  // on must go off when that cue is not told again for a while: a host that died cannot say so.
  void onCue(void (*cue)(const edgehip_cue &));
  void onEstimate(void (*estimate)(const edgehip_cycle_estimate &));

  // How long nothing was heard from the host (its own frames, echoed, are not the host's). That it is
  // heard keeps no cue on: it may be another one, begun after the first died, that tells none.
  uint32_t silentMs() const { return millis() - heard_ms_; }

  // Frames that came damaged, or that this library does not know.
  uint16_t faults = 0;

  // Samples for which the port had no room.
  uint16_t dropped = 0;

private:
  void listen();
  void obey();
  void setRate(float rateHz);
  void describe();
  void forgetAngles();
  bool hasRoom(size_t length);
  void write(size_t length);

  Stream &port_;
  const char *name_;
  const char *firmware_;
  void (*cue_)(const edgehip_cue &) = nullptr;
  void (*estimate_)(const edgehip_cycle_estimate &) = nullptr;
  edgehip_decoder decoder_ = {};
  edgehip_angles angles_;
  uint8_t frame_[EDGEHIP_DESCRIPTION_FRAME];
  uint16_t channels_ = 0;
  uint32_t sequence_ = 0;
  uint32_t heard_ms_ = 0;
  uint32_t sampled_us_ = 0;
  uint32_t due_us_ = 0;
  uint32_t period_us_ = 10000;
  float max_rate_hz_ = 200;
  bool drop_when_full_ = false;
  bool tells_room_ = false;
  bool cut_ = true; // what was written last may lack its end
  bool sending_ = true;
  bool describe_due_ = true;
};

#endif
