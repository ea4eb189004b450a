extern "C" __attribute__((visibility("default"))) const void* qatlas_plugin() { return nullptr; }
