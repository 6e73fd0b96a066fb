#include "EdgeHip.h"

#include <string.h>

static const uint8_t ANGLE_COUNT = sizeof(edgehip_angles) / sizeof(int16_t);

EdgeHip::EdgeHip(Stream &port, const char *name, const char *firmware)
    : port_(port), name_(name), firmware_(firmware) {
  forgetAngles();
}

void EdgeHip::begin(float rateHz, float maxRateHz) {
  max_rate_hz_ = rateHz > maxRateHz ? rateHz : maxRateHz;
  setRate(rateHz);
  due_us_ = micros();
}

bool EdgeHip::sampleDue() {
  listen();
  // The first description waits for the first sample, which shows the channels.
  if (describe_due_ && (sequence_ > 0 || !sending_) && hasRoom(EDGEHIP_DESCRIPTION_FRAME)) {
    describe();
  }
  uint32_t now = micros();
  if (!sending_ || (int32_t)(now - due_us_) < 0) {
    return false;
  }
  sampled_us_ = now;
  due_us_ += period_us_; // from when it was due, so that lateness does not add up
  if ((int32_t)(now - due_us_) >= 0) {
    // Too late for the next one as well: what was due since the last one sent counts as lost.
    if (sequence_ > 0) {
      sequence_ += (now - due_us_) / period_us_ + 1;
    }
    due_us_ = now + period_us_;
  }
  return true;
}

void EdgeHip::setAngle(edgehip_angle angle, float degrees) {
  float hundredths = 100 * degrees;
  if (hundredths >= -32767 && hundredths <= 32767) { // NaN is not
    setAngleX100(angle, (int16_t)(hundredths + (hundredths < 0 ? -0.5f : 0.5f)));
  }
}

void EdgeHip::setAngleX100(edgehip_angle angle, int16_t hundredths) {
  if ((uint8_t)angle < ANGLE_COUNT) { // else it would be written over something else
    angles_.angles_deg_x100[angle] = hundredths;
  }
}

void EdgeHip::send() {
  channels_ = 0;
  for (uint8_t i = 0; i < ANGLE_COUNT; ++i) {
    if (angles_.angles_deg_x100[i] != EDGEHIP_UNKNOWN_I16) {
      channels_ = (uint16_t)(channels_ | (uint16_t)1 << i);
    }
  }
  size_t length = edgehip_encode_angles(frame_, sequence_++, sampled_us_, &angles_);
  if (hasRoom(length)) {
    write(length);
  } else {
    ++dropped;
  }
  forgetAngles();
}

void EdgeHip::onCue(void (*cue)(const edgehip_cue &)) { cue_ = cue; }

void EdgeHip::onEstimate(void (*estimate)(const edgehip_cycle_estimate &)) {
  estimate_ = estimate;
}

void EdgeHip::listen() {
  while (port_.available() > 0) {
    switch (edgehip_feed(&decoder_, (uint8_t)port_.read())) {
    case EDGEHIP_NOTHING:
      break;
    case EDGEHIP_FRAME:
      if (decoder_.type >= 0x80) { // else it is a device's: an echo
        heard_ms_ = millis();
      }
      obey();
      break;
    default:
      ++faults;
    }
  }
}

void EdgeHip::obey() {
  switch (decoder_.type) {
  case EDGEHIP_TYPE_DESCRIBE:
    describe_due_ = true;
    break;
  case EDGEHIP_TYPE_START:
    if (!sending_) {
      due_us_ = micros();
    }
    sending_ = true;
    break;
  case EDGEHIP_TYPE_STOP:
    sending_ = false;
    break;
  case EDGEHIP_TYPE_RATE: {
    edgehip_rate rate;
    if (edgehip_read_rate(&decoder_, &rate)) {
      setRate((float)rate.rate_hz_x1000 / 1000.0f);
      describe_due_ = true; // it says which rate it really is
    }
    break;
  }
  case EDGEHIP_TYPE_CUE: {
    edgehip_cue cue;
    if (cue_ != nullptr && edgehip_read_cue(&decoder_, &cue)) {
      cue_(cue);
    }
    break;
  }
  case EDGEHIP_TYPE_CYCLE_ESTIMATE: {
    edgehip_cycle_estimate estimate;
    if (estimate_ != nullptr && edgehip_read_cycle_estimate(&decoder_, &estimate)) {
      estimate_(estimate);
    }
    break;
  }
  }
}

void EdgeHip::setRate(float rateHz) {
  rateHz = rateHz < 1 ? 1 : rateHz > max_rate_hz_ ? max_rate_hz_ : rateHz;
  period_us_ = (uint32_t)(1e6f / rateHz + 0.5f);
}

// Copy a text, cut after the last whole character that fits: with half a one it would be none.
static void copyText(char *to, size_t size, const char *from) {
  strncpy(to, from, size);
  if (to[size - 1] != '\0') {
    size_t end = size - 1;
    while (end > 0 && ((uint8_t)to[end] & 0xC0) == 0x80) {
      --end;
    }
    to[end] = '\0';
  }
}

void EdgeHip::describe() {
  edgehip_description description = {};
  description.rate_hz_x1000 = (1000000000u + period_us_ / 2) / period_us_;
  description.channels = channels_;
  copyText(description.name, sizeof description.name, name_);
  copyText(description.firmware, sizeof description.firmware, firmware_);
  // Stamped like the last sample: a device's times never go back.
  write(edgehip_encode_description(frame_, sequence_++, sampled_us_, &description));
  describe_due_ = false;
}

void EdgeHip::forgetAngles() {
  for (uint8_t i = 0; i < ANGLE_COUNT; ++i) {
    angles_.angles_deg_x100[i] = EDGEHIP_UNKNOWN_I16;
  }
}

// Whether a frame can be written, and the delimiter that it may need before it.
bool EdgeHip::hasRoom(size_t length) {
  if (!drop_when_full_) {
    return true;
  }
  int room = port_.availableForWrite(); // 0 also of a port that cannot tell
  tells_room_ |= room > (int)EDGEHIP_DESCRIPTION_FRAME;
  return !tells_room_ || room > (int)length;
}

void EdgeHip::write(size_t length) {
  if (cut_ && port_.write((uint8_t)0) != 1) {
    return; // nothing ends what the host heard before this frame, which would be lost with it
  }
  cut_ = port_.write(frame_, length) != length;
}
