// Every law of ours holds what the conformance kit asks of anybody's.
#include "qatlas/conformance/gtest.h"
#include "qatlas/law.h"
#include "tests/paths.h"

#define LAW(suite, name) \
  QATLAS_CONFORMANCE_PLUGIN(suite, qatlas::LawForm, qatlas::paths::Plugins() + "/law-" name ".so")

LAW(Chinchilla, "chinchilla");
LAW(EffectiveParameter, "effective-parameter");
LAW(FloatingPoint, "floating-point");
LAW(Fraction, "fraction");
LAW(Kaplan, "kaplan");
LAW(MixedPtq, "mixed-ptq");
LAW(Precision, "precision");
LAW(Qat, "qat");
LAW(Quartet, "quartet");
LAW(Representation, "representation");
LAW(TwoPhase, "two-phase");
LAW(Undertrained, "undertrained");
