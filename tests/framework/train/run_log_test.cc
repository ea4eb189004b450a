#include "framework/train/run_log.h"

#include <cstring>
#include <map>

#include "absl/strings/match.h"
#include "framework/train/event_file.h"
#include "gtest/gtest.h"
#include "tests/framework/train/tiny.h"

namespace qatlas::train {
namespace {

using testing::Bytes;
using testing::ScratchFolder;

// CRC-32C bit by bit, after its definition (RFC 3720, appendix B.4 has the vectors below).
uint32_t PlainCrc32c(std::string_view bytes) {
  uint32_t crc = 0xFFFFFFFF;
  for (unsigned char byte : bytes) {
    crc ^= byte;
    for (int i = 0; i < 8; ++i) crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
  }
  return ~crc;
}
uint32_t Mask(uint32_t crc) { return (crc >> 15 | crc << 17) + 0xa282ead8u; }

// A reader of protocol buffers, enough for events: field → values, as raw bytes.
std::multimap<int, std::string> Fields(std::string_view message) {
  std::multimap<int, std::string> fields;
  size_t at = 0;
  auto varint = [&] {
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const unsigned char byte = static_cast<unsigned char>(message.at(at++));
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.size()) {
    const uint64_t key = varint();
    std::string value;
    if (key % 8 == 0) {
      const uint64_t number = varint();
      value.assign(reinterpret_cast<const char*>(&number), 8);
    } else {
      const size_t size = key % 8 == 1 ? 8 : key % 8 == 5 ? 4 : varint();
      value = std::string(message.substr(at, size));
      EXPECT_EQ(value.size(), size);
      at += size;
    }
    fields.emplace(static_cast<int>(key / 8), value);
  }
  return fields;
}

template <typename T>
T As(const std::string& bytes) {
  T value;
  EXPECT_EQ(bytes.size(), sizeof(T));
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

// The events of a file, after checking lengths and sums.
std::vector<std::string> Records(const std::string& file) {
  std::vector<std::string> events;
  size_t at = 0;
  while (at < file.size()) {
    const std::string length = file.substr(at, 8);
    const uint64_t size = As<uint64_t>(length);
    EXPECT_EQ(As<uint32_t>(file.substr(at + 8, 4)), Mask(PlainCrc32c(length)));
    events.push_back(file.substr(at + 12, size));
    EXPECT_EQ(As<uint32_t>(file.substr(at + 12 + size, 4)), Mask(PlainCrc32c(events.back())));
    at += 16 + size;
  }
  return events;
}

TEST(EventFileTest, ChecksumIsCrc32c) {
  EXPECT_EQ(PlainCrc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(MaskedCrc32c("123456789"), Mask(0xE3069283u));
  EXPECT_EQ(MaskedCrc32c(std::string(32, '\0')), Mask(0x8A9136AAu));
}

TEST(RunLogTest, EventsParse) {
  ScratchFolder folder;
  auto log = *RunLog::Open(folder.path(), {});
  log->Log({300, 614400, 2.5, .75, 1e-3});
  log->LogValidation(300, 2.25);
  ASSERT_TRUE(log->Sync().ok());
  const std::vector<std::string> events = Records(Bytes(folder / RunLog::kEvents));
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(Fields(events[0]).find(3)->second, "brain.Event:2");
  const auto step = Fields(events[1]);
  EXPECT_GT(As<double>(step.find(1)->second), 1.6e9);
  EXPECT_EQ(As<uint64_t>(step.find(2)->second), 300u);
  std::map<std::string, float> scalars;
  for (const auto& [field, value] : Fields(step.find(5)->second)) {
    EXPECT_EQ(field, 1);
    const auto entry = Fields(value);
    scalars[entry.find(1)->second] = As<float>(entry.find(2)->second);
  }
  EXPECT_EQ(scalars, (std::map<std::string, float>{
                         {"train/loss", 2.5f}, {"train/grad_norm", .75f}, {"train/lr", 1e-3f}}));
}

TEST(RunLogTest, IsCutBackToACheckpoint) {
  ScratchFolder folder;
  std::map<std::string, int64_t> sizes;
  {
    auto log = *RunLog::Open(folder.path(), {});
    log->Log({1, 10, 3, 1, 1});
    sizes = log->Sizes();
    log->Log({2, 20, 2, 1, 1});
    ASSERT_TRUE(log->Sync().ok());
  }
  {
    auto log = *RunLog::Open(folder.path(), sizes);
    log->Log({2, 20, 2.5, 1, 1});
    ASSERT_TRUE(log->Flush().ok());
  }
  EXPECT_EQ(Bytes(folder / RunLog::kMetrics),
            "{\"step\":1,\"tokens\":10,\"loss\":3.0,\"grad_norm\":1.0,\"lr\":1.0}\n"
            "{\"step\":2,\"tokens\":20,\"loss\":2.5,\"grad_norm\":1.0,\"lr\":1.0}\n");
  EXPECT_EQ(Records(Bytes(folder / RunLog::kEvents)).size(), 3u);
  sizes[RunLog::kMetrics] = 10000;
  EXPECT_EQ(RunLog::Open(folder.path(), sizes).status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace qatlas::train
