// A plugin that dies when it is opened.
#include <cstdlib>

#include "defective.h"
#include "qatlas/check.h"

namespace {
const bool kOpened = [] {
  QATLAS_CHECK(std::getenv("NO SUCH VARIABLE") != nullptr, "no tables to load");
  return true;
}();
}

QATLAS_PLUGIN("defective-crash", "1.0.0",
              defective::Make<defective::PowerLaw>(kOpened ? "crashes" : ""))
