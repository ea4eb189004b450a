// A plugin that works before anybody asks it to.
#include <unistd.h>

#include "defective.h"

namespace {
const int kWaited = usleep(150000);
}

QATLAS_PLUGIN("defective-slow", "1.0.0",
              defective::Make<defective::PowerLaw>(kWaited == 0 ? "slow" : "interrupted"))
