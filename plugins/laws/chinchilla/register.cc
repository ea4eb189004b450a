#include "chinchilla.h"

QATLAS_PLUGIN("chinchilla", "1.0.0", qatlas::Component<qatlas_laws::Chinchilla>(),
              qatlas::Component<qatlas_laws::ChinchillaTied>())
