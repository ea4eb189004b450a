#include "framework/train/tensor_memory.h"

#include <atomic>
#include <utility>

#include "c10/core/CPUAllocator.h"

namespace qatlas::train {
namespace {

std::atomic<int64_t> live_bytes{0};
std::atomic<int64_t> peak_bytes{0};

// What a counted block's deleter must know.
struct Block {
  c10::DataPtr data;
  int64_t bytes;
};

void Free(void* context) {
  Block* block = static_cast<Block*>(context);
  live_bytes -= block->bytes;
  delete block;
}

class Counting : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t size) override {
    c10::DataPtr data = inner->allocate(size);
    const int64_t bytes = static_cast<int64_t>(size);
    const int64_t now = live_bytes += bytes;
    int64_t peak = peak_bytes;
    while (now > peak && !peak_bytes.compare_exchange_weak(peak, now)) {
    }
    void* start = data.get();
    const c10::Device device = data.device();
    return {start, new Block{std::move(data), bytes}, &Free, device};
  }
  // A raw block would need a table of its size; nobody in a training asks for one.
  c10::DeleterFn raw_deleter() const override { return nullptr; }
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
