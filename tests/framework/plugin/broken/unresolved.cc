// Calls a function that nobody defines.
extern "C" int nobody_defines_this();
extern "C" __attribute__((visibility("default"))) int qatlas_plugin() {
  return nobody_defines_this();
}
