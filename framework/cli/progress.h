// Progress of long work: one line that is redrawn on a terminal, plain lines elsewhere.
#ifndef QATLAS_FRAMEWORK_CLI_PROGRESS_H_
#define QATLAS_FRAMEWORK_CLI_PROGRESS_H_

#include <chrono>
#include <map>
#include <string>

#include "framework/data/progress.h"
#include "framework/runs/execute.h"

namespace qatlas::cli {

// A bar of `width` characters for a share from 0 to 1: "█████▌    ".
std::string Bar(double share, int width);

// Writes to stderr, so that stdout stays for answers.
class ProgressView : public runs::Watcher {
 public:
  // `terminal`: redraw one line (stderr is a terminal); else a plain line at most every 20 seconds
  // and for each event that matters.
  explicit ProgressView(bool terminal) : terminal_(terminal) {}
  ~ProgressView() override { Clear(); }

  void On(const runs::Event& event, const runs::Plan& plan) override;
  void OnData(const data::Progress& progress);

 private:
  void Line(const std::string& text);    // a line that stays
  void Redraw(const std::string& text);  // the line that is redrawn
  void Clear();
  std::string Status(const runs::Event& event) const;

  bool terminal_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point last_{};
  std::map<int, runs::Event> running_;  // last progress of each segment
  std::string stage_;
};

}  // namespace qatlas::cli

#endif  // QATLAS_FRAMEWORK_CLI_PROGRESS_H_
