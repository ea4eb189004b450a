// How the reports of conformance checks look: on a terminal, and as JSON.
#ifndef QATLAS_FRAMEWORK_CLI_CHECK_VIEW_H_
#define QATLAS_FRAMEWORK_CLI_CHECK_VIEW_H_

#include <map>
#include <string>

#include "nlohmann/json.hpp"
#include "qatlas/conformance/suite.h"

namespace qatlas::cli {

// Prints reports as they come, under headings, and counts them.
class CheckView {
 public:
  struct Look {
    bool only_failed = false;  // failures and crashes alone
    bool color = false;
    bool list = false;      // names and prose; nothing was run
    bool json = false;      // nothing before End()
    double time_limit = 0;  // as it was given; part of the command that repeats
  };
  explicit CheckView(Look look) : look_(look) {}

  void Add(const conformance::Report& report);
  // The last line, or the whole JSON.
  void End();

  int count(conformance::Outcome outcome) const;
  bool empty() const { return counts_.empty(); }
  // Whether anything failed or crashed.
  bool bad() const;

 private:
  void Heading(const conformance::Report& report);
  void Line(const conformance::Report& report);
  void Details(const conformance::Report& report);
  std::string Repeat(const conformance::Report& report) const;
  std::string Painted(conformance::Outcome outcome, const std::string& text) const;

  Look look_;
  std::map<conformance::Outcome, int> counts_;
  double seconds_ = 0;
  std::string library_;  // of the last heading
  std::string subject_;
  nlohmann::ordered_json reports_ = nlohmann::ordered_json::array();
};

}  // namespace qatlas::cli

#endif  // QATLAS_FRAMEWORK_CLI_CHECK_VIEW_H_
