#include "framework/cli/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "framework/runs/machine.h"

namespace qatlas::cli {
namespace {

constexpr auto kRedraw = std::chrono::milliseconds(200);
constexpr auto kPlain = std::chrono::seconds(20);

int TerminalColumns() {
  struct winsize size;
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20) return size.ws_col;
  return 100;
}

// Cut to `columns` characters, counting UTF-8 characters as one each.
std::string Cut(const std::string& text, int columns) {
  int seen = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool begins = (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80;
    if (begins && ++seen > columns) return text.substr(0, i);
  }
  return text;
}

// The run that a segment is shown under: the first that it serves.
std::string SegmentTitle(const runs::Plan& plan, int segment) {
  const runs::PlannedSegment& planned = plan.segments[static_cast<size_t>(segment)];
  if (planned.runs.empty()) return planned.spec.id.substr(0, 8);
  const std::string& name = plan.runs[static_cast<size_t>(planned.runs.front())].name;
  if (planned.runs.size() == 1) return name;
  return absl::StrCat(name, " (shared by ", planned.runs.size(), ")");
}

// The runs that a segment serves, by name; long lists are cut.
std::vector<std::string> RunsThrough(const runs::Plan& plan, int segment) {
  constexpr size_t kShown = 8;
  std::vector<std::string> names;
  const std::vector<int>& runs = plan.segments[static_cast<size_t>(segment)].runs;
  for (size_t i = 0; i < runs.size() && i < kShown; ++i) {
    names.push_back(plan.runs[static_cast<size_t>(runs[i])].name);
  }
  if (runs.size() > kShown) names.push_back(absl::StrCat(runs.size() - kShown, " more runs"));
  return names;
}

}  // namespace

std::string Bar(double share, int width) {
  static constexpr const char* kEighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const double cells = std::clamp(share, 0.0, 1.0) * width;
  const int full = static_cast<int>(cells);
  const int eighths = full < width ? static_cast<int>((cells - full) * 8) : 0;
  std::string bar;
  for (int i = 0; i < full; ++i) bar += "█";
  bar += kEighths[eighths];
  bar.append(static_cast<size_t>(width - full - (eighths > 0 ? 1 : 0)), ' ');
  return bar;
}

void ProgressView::Clear() {
  if (terminal_ && drawn_) std::fputs("\r\033[K", stderr);
  drawn_ = false;
}

void ProgressView::Line(const std::string& text) {
  Clear();
  std::fprintf(stderr, "%s\n", text.c_str());
}

void ProgressView::Redraw(const std::string& text) {
  const auto now = std::chrono::steady_clock::now();
  if (now - last_ <
      (terminal_ ? std::chrono::duration_cast<std::chrono::steady_clock::duration>(kRedraw)
                 : std::chrono::duration_cast<std::chrono::steady_clock::duration>(kPlain))) {
    return;
  }
  last_ = now;
  if (!terminal_) {
    std::fprintf(stderr, "%s\n", text.c_str());
    return;
  }
  std::fprintf(stderr, "\r\033[K%s", Cut(text, TerminalColumns() - 1).c_str());
  std::fflush(stderr);
  drawn_ = true;
}

std::string ProgressView::Status(const runs::Event& event) const {
  double tokens_per_second = 0;
  double loss = 0;
  for (const auto& [segment, progress] : running_) {
    tokens_per_second += progress.tokens_per_second;
    if (progress.loss > 0) loss = progress.loss;
  }
  const double share = event.tokens_total > 0 ? static_cast<double>(event.tokens_done) /
                                                    static_cast<double>(event.tokens_total)
                                              : 1;
  std::string text;
  if (terminal_) text = absl::StrCat("▕", Bar(share, 24), "▏ ");
  absl::StrAppendFormat(&text, "%3.0f%%  segment %d of %d", 100 * share, event.segments_done,
                        event.segments_total);
  if (!running_.empty()) {
    absl::StrAppendFormat(&text, "  %d running", running_.size());
    // A worker that has just started has no figures yet.
    if (tokens_per_second > 0) {
      absl::StrAppendFormat(&text, "  %s tokens/s  loss %.3f", runs::ShowCount(tokens_per_second),
                            loss);
    }
  }
  if (event.all_seconds_left >= 0) {
    absl::StrAppend(&text, "  ", runs::ShowSeconds(event.all_seconds_left), " left");
  }
  return text;
}

void ProgressView::OnData(const data::Progress& progress) {
  std::string text = absl::StrCat("data: ", std::string(progress.stage));
  if (progress.total > 0) {
    absl::StrAppendFormat(
        &text, " %3.0f%%",
        100.0 * static_cast<double>(progress.done) / static_cast<double>(progress.total));
  }
  if (!terminal_ && stage_ != progress.stage) last_ = {};
  stage_ = std::string(progress.stage);
  Redraw(text);
}

void ProgressView::On(const runs::Event& event, const runs::Plan& plan) {
  using Kind = runs::Event::Kind;
  switch (event.kind) {
    case Kind::kData:
      OnData({event.message, event.done, event.total});
      break;
    case Kind::kBegin:
      Line(absl::StrCat("training ", event.segments_total, " segments, ",
                        runs::ShowCount(static_cast<double>(event.tokens_total)), " tokens, ",
                        event.jobs, event.jobs == 1 ? " worker" : " workers"));
      break;
    case Kind::kStarted:
      running_[event.segment] = event;
      break;
    case Kind::kProgress:
      running_[event.segment] = event;
      break;
    case Kind::kWaiting:
      Line(absl::StrCat("waiting for ", SegmentTitle(plan, event.segment), ": ", event.message));
      break;
    case Kind::kFinished:
      running_.erase(event.segment);
      break;
    case Kind::kFailed:
      running_.erase(event.segment);
      for (const std::string& run : RunsThrough(plan, event.segment)) {
        Line(absl::StrCat("failed: ", run, ": ", event.message));
      }
      break;
    case Kind::kBlocked:
      break;  // its runs pass through the segment that failed, which told them
    case Kind::kStopping:
      Line(absl::StrCat("stopping: ", event.message));
      break;
    case Kind::kStopped:
      running_.erase(event.segment);
      break;
  }
  const bool ahead = event.kind == Kind::kData || event.kind == Kind::kBegin;
  if (!ahead && event.segments_total > 0) Redraw(Status(event));
}

}  // namespace qatlas::cli
