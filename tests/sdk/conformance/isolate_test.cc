#include "qatlas/conformance/isolate.h"

#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "gmock/gmock.h"
#include "qatlas/check.h"

namespace qatlas::conformance {
namespace {

using ::testing::HasSubstr;

constexpr double kLong = 600;

TEST(Isolate, GivesTheAnswerAndTheOutput) {
  const Isolated run = Isolate(
      [](const State& state) {
        state("first");
        state("second");
        std::printf("to stdout, ");
        std::fprintf(stderr, "to stderr");
        return std::string(300000, 'x');  // more than a pipe holds
      },
      kLong);
  EXPECT_EQ(run.end, Isolated::End::kAnswered);
  EXPECT_EQ(run.answer, std::string(300000, 'x'));
  EXPECT_EQ(run.trying, "second");
  EXPECT_EQ(run.output, "to stdout, to stderr");
  EXPECT_EQ(run.Reason(kLong), "");
  const Isolated empty = Isolate([](const State&) { return std::string(); }, kLong);
  EXPECT_EQ(empty.end, Isolated::End::kAnswered);
}

TEST(Isolate, ACrashKeepsItsInputAndLastWords) {
  const Isolated run = Isolate(
      [](const State& state) {
        state("group = 0");
        std::printf("half a line");
        QATLAS_CHECK(getpid() == 0, "the group is empty");
        return std::string();
      },
      kLong);
  EXPECT_EQ(run.end, Isolated::End::kSignal);
  EXPECT_EQ(run.code, SIGABRT);
  EXPECT_EQ(run.Reason(kLong), "SIGABRT (Aborted)");
  EXPECT_EQ(run.trying, "group = 0");
  EXPECT_THAT(run.output, HasSubstr("half a line"));
  EXPECT_THAT(run.output, HasSubstr("bug: the group is empty"));
}

TEST(Isolate, AnExitBeforeTheAnswerIsTold) {
  const Isolated run = Isolate([](const State&) -> std::string { std::exit(3); }, kLong);
  EXPECT_EQ(run.end, Isolated::End::kExit);
  EXPECT_EQ(run.Reason(kLong), "it left the process with exit code 3");
}

TEST(Isolate, WhatDoesNotEndIsKilledWithWhatItStarted) {
  int leftover[2];
  ASSERT_EQ(pipe(leftover), 0);
  const Isolated run = Isolate(
      [&leftover](const State& state) -> std::string {
        state("forever");
        if (fork() == 0) {
          while (true) pause();  // holds the pipe, and the process's output
        }
        close(leftover[1]);
        while (true) pause();
      },
      .1);
  EXPECT_EQ(run.end, Isolated::End::kTimeOut);
  EXPECT_EQ(run.Reason(.1), "no end within 0.1 s");
  EXPECT_EQ(run.trying, "forever");
  // Nobody holds the other end any more, or this would wait for ever.
  close(leftover[1]);
  char byte;
  EXPECT_EQ(read(leftover[0], &byte, 1), 0);
  close(leftover[0]);
}

TEST(Isolate, OutputIsKeptFromItsEnd) {
  const Isolated run = Isolate(
      [](const State&) {
        for (int i = 0; i < 100000; ++i) std::fprintf(stderr, "line %d\n", i);
        return std::string("done");
      },
      kLong);
  EXPECT_EQ(run.answer, "done");
  EXPECT_LE(run.output.size(), 8192);
  EXPECT_THAT(run.output, HasSubstr("line 99999\n"));
}

TEST(Isolate, TheWorkMayHaveThreads) {
  const Isolated run = Isolate(
      [](const State&) {
        int sum = 0;
        std::thread([&sum] { sum = 7; }).join();
        return std::to_string(sum);
      },
      kLong);
  EXPECT_EQ(run.answer, "7");
}

TEST(IsolateDeathTest, RefusesAProcessWithThreads) {
  EXPECT_DEATH(
      {
        std::thread waits([] { pause(); });
        Isolate([](const State&) { return std::string(); }, kLong);
      },
      "must not have threads");
}

}  // namespace
}  // namespace qatlas::conformance
