#include "framework/train/tensor_memory.h"

#include <atomic>
#include <new>
#include <utility>

#include "c10/core/CPUAllocator.h"

namespace qatlas::train {
namespace {

std::atomic<int64_t> live_bytes{0};
std::atomic<int64_t> peak_bytes{0};

// What a counted block's deleter must know. It lies in front of the block, so that the context is
// the block itself: raw_allocate wants that.
struct Header {
  c10::DataPtr data;  // of the header and the block
  int64_t bytes;      // of the block
};
// A multiple of the alignment that LibTorch's own allocator keeps.
constexpr size_t kHeaderBytes = 64;
static_assert(sizeof(Header) <= kHeaderBytes);

void Free(void* start) {
  if (start == nullptr) return;
  Header* header = reinterpret_cast<Header*>(static_cast<char*>(start) - kHeaderBytes);
  live_bytes -= header->bytes;
  const c10::DataPtr data = std::move(header->data);  // freed last, as the header lies in it
  header->~Header();
}

class Counting : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t size) override {
    if (size == 0) return {nullptr, nullptr, &Free, c10::Device(c10::kCPU)};
    c10::DataPtr data = inner->allocate(size + kHeaderBytes);
    const int64_t bytes = static_cast<int64_t>(size);
    const int64_t now = live_bytes += bytes;
    int64_t peak = peak_bytes;
    while (now > peak && !peak_bytes.compare_exchange_weak(peak, now)) {
    }
    char* start = static_cast<char*>(data.get());
    const c10::Device device = data.device();
    new (start) Header{std::move(data), bytes};
    return {start + kHeaderBytes, start + kHeaderBytes, &Free, device};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &Free; }
  void copy_data(void* to, const void* from, size_t count) const override {
    default_copy_data(to, from, count);
  }

  c10::Allocator* inner = nullptr;
};

// Never destroyed: tensors may outlive whoever counted them.
Counting& Counter() {
  static Counting* counter = new Counting;
  return *counter;
}

// Above the default's, so that it is taken.
constexpr uint8_t kPriority = 1;

}  // namespace

TensorMemory::TensorMemory() : previous_(c10::GetCPUAllocator()) {
  Counter().inner = previous_;
  live_bytes = 0;
  peak_bytes = 0;
  c10::SetCPUAllocator(&Counter(), kPriority);
}

TensorMemory::~TensorMemory() { c10::SetCPUAllocator(previous_, kPriority); }

int64_t TensorMemory::live() { return live_bytes; }
int64_t TensorMemory::peak() { return peak_bytes; }
void TensorMemory::ResetPeak() { peak_bytes = live_bytes.load(); }

}  // namespace qatlas::train
