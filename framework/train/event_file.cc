#include "framework/train/event_file.h"

#include <boost/crc.hpp>
#include <cstring>

namespace qatlas::train {
namespace {

// Wire types of protocol buffers.
constexpr int kVarint = 0;
constexpr int kFixed64 = 1;
constexpr int kBytes = 2;
constexpr int kFixed32 = 5;

void PutVarint(uint64_t value, std::string* out) {
  while (value >= 0x80) {
    out->push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out->push_back(static_cast<char>(value));
}

void PutKey(int field, int wire_type, std::string* out) {
  PutVarint(static_cast<uint64_t>(field) << 3 | static_cast<uint64_t>(wire_type), out);
}

// Little-endian, as is every machine this runs on.
template <typename T>
void PutFixed(T value, std::string* out) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out->append(bytes, sizeof(T));
}

void PutBytes(int field, std::string_view bytes, std::string* out) {
  PutKey(field, kBytes, out);
  PutVarint(bytes.size(), out);
  out->append(bytes);
}

}  // namespace

uint32_t MaskedCrc32c(std::string_view bytes) {
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
  crc.process_bytes(bytes.data(), bytes.size());
  const uint32_t sum = crc.checksum();
  return ((sum >> 15) | (sum << 17)) + 0xa282ead8u;
}

std::string EventRecord(std::string_view event) {
  std::string record;
  PutFixed<uint64_t>(event.size(), &record);
  PutFixed<uint32_t>(MaskedCrc32c(record), &record);
  record.append(event);
  PutFixed<uint32_t>(MaskedCrc32c(event), &record);
  return record;
}

std::string VersionEvent(double wall_time) {
  std::string event;
  PutKey(1, kFixed64, &event);
  PutFixed(wall_time, &event);
  PutBytes(3, "brain.Event:2", &event);
  return event;
}

std::string ScalarsEvent(double wall_time, int64_t step,
                         const std::vector<std::pair<std::string, float>>& scalars) {
  std::string summary;
  for (const auto& [tag, value] : scalars) {
    std::string entry;
    PutBytes(1, tag, &entry);
    PutKey(2, kFixed32, &entry);
    PutFixed(value, &entry);
    PutBytes(1, entry, &summary);
  }
  std::string event;
  PutKey(1, kFixed64, &event);
  PutFixed(wall_time, &event);
  PutKey(2, kVarint, &event);
  PutVarint(static_cast<uint64_t>(step), &event);
  PutBytes(5, summary, &event);
  return event;
}

}  // namespace qatlas::train
