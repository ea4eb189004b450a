#include "framework/runs/machine.h"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "gtest/gtest.h"

namespace qatlas::runs {
namespace {

// Flags as the kernel read them from the processor; a second way to know.
bool FlagOfCpu(const std::string& flag) {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line)) {
    if (line.rfind("flags", 0) == 0) return absl::StrContains(line + " ", " " + flag + " ");
  }
  return false;
}

class MachineTest : public ::testing::Test {
 protected:
  void TearDown() override { unsetenv("QATLAS_ISA"); }
};

TEST_F(MachineTest, AutoTakesBf16OnlyWhereItsUnitsAreUsed) {
  EXPECT_EQ(AutoPrecision("cpu", "avx512", true), "bf16");
  EXPECT_EQ(AutoPrecision("cpu", "avx512", false), "fp32");
  EXPECT_EQ(AutoPrecision("cpu", "avx2", true), "fp32");
  EXPECT_EQ(AutoPrecision("cpu", "portable", true), "fp32");
  EXPECT_EQ(AutoPrecision("cuda", "sm_90", false), "bf16");
}

TEST_F(MachineTest, ThisProcessorIsReadAsTheKernelReadsIt) {
  ASSERT_TRUE(FlagOfCpu("fpu"));
  EXPECT_EQ(CpuHasBf16Units(), FlagOfCpu("amx_bf16") || FlagOfCpu("avx512_bf16"));
  const Machine machine = ResolveMachine("cpu", "auto").value();
  EXPECT_EQ(machine.device, "cpu");
  EXPECT_EQ(machine.precision, AutoPrecision("cpu", machine.isa, CpuHasBf16Units()));
  if (!FlagOfCpu("amx_bf16") && !FlagOfCpu("avx512_bf16")) {
    EXPECT_EQ(machine.precision, "fp32");
  }
  EXPECT_EQ(machine.libtorch.rfind("2.", 0), 0u) << machine.libtorch;
}

TEST_F(MachineTest, TheChosenInstructionSetStands) {
  setenv("QATLAS_ISA", "portable", 1);
  const Machine machine = ResolveMachine("cpu", "auto").value();
  EXPECT_EQ(machine.isa, "portable");
  EXPECT_EQ(machine.precision, "fp32");
  // A precision that is named is taken as it is.
  EXPECT_EQ(ResolveMachine("cpu", "bf16")->precision, "bf16");
}

TEST_F(MachineTest, UnknownNamesAreRefused) {
  setenv("QATLAS_ISA", "avx1024", 1);
  const absl::Status unknown = ResolveMachine("cpu", "auto").status();
  EXPECT_TRUE(absl::IsInvalidArgument(unknown));
  EXPECT_EQ(unknown.message(),
            "QATLAS_ISA names the unknown instruction set 'avx1024'; there are avx512, avx2 and "
            "portable");
  unsetenv("QATLAS_ISA");
  EXPECT_TRUE(absl::IsInvalidArgument(ResolveMachine("tpu", "auto").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(ResolveMachine("cpu", "fp16").status()));
}

}  // namespace
}  // namespace qatlas::runs
