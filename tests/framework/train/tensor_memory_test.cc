#include "framework/train/tensor_memory.h"

#include <cstdint>
#include <thread>
#include <utility>

#include "ATen/ATen.h"
#include "c10/core/CPUAllocator.h"
#include "gtest/gtest.h"

namespace qatlas::train {
namespace {

TEST(TensorMemory, CountsBytesThatLiveAndTheirPeak) {
  const TensorMemory memory;
  EXPECT_EQ(TensorMemory::live(), 0);
  at::Tensor a = at::empty({1000}, at::kFloat);
  EXPECT_EQ(TensorMemory::live(), 4000);
  {
    const at::Tensor b = at::empty({10, 10}, at::kBFloat16);
    EXPECT_EQ(TensorMemory::live(), 4200);
  }
  EXPECT_EQ(TensorMemory::live(), 4000);
  EXPECT_EQ(TensorMemory::peak(), 4200);
  TensorMemory::ResetPeak();
  EXPECT_EQ(TensorMemory::peak(), 4000);
  // Whichever thread frees it.
  std::thread([a = std::move(a)]() mutable { a = at::Tensor(); }).join();
  EXPECT_EQ(TensorMemory::live(), 0);
  const at::Tensor empty = at::empty({0});
  EXPECT_EQ(TensorMemory::live(), 0);
  EXPECT_EQ(TensorMemory::peak(), 4000);
}

TEST(TensorMemory, CountsRawBlocks) {
  const TensorMemory memory;
  c10::Allocator* allocator = c10::GetCPUAllocator();
  for (const size_t bytes : {size_t{1}, size_t{64}, size_t{1000}}) {
    void* block = allocator->raw_allocate(bytes);
    EXPECT_EQ(TensorMemory::live(), static_cast<int64_t>(bytes));
    // Aligned as LibTorch's kernels expect.
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % 64, 0u);
    allocator->raw_deallocate(block);
    EXPECT_EQ(TensorMemory::live(), 0);
  }
  allocator->raw_deallocate(allocator->raw_allocate(0));
}

TEST(TensorMemory, TensorsMayOutliveTheCount) {
  c10::Allocator* const before = c10::GetCPUAllocator();
  at::Tensor survivor;
  {
    const TensorMemory memory;
    survivor = at::ones({100});
    EXPECT_NE(c10::GetCPUAllocator(), before);
  }
  EXPECT_EQ(c10::GetCPUAllocator(), before);
  EXPECT_EQ(survivor.sum().item<float>(), 100);
  survivor = at::Tensor();
}

}  // namespace
}  // namespace qatlas::train
