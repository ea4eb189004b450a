// Runs independent tasks on a few threads.
#ifndef QATLAS_FRAMEWORK_FIT_PARALLEL_H_
#define QATLAS_FRAMEWORK_FIT_PARALLEL_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace qatlas::fit {

// As many threads as are asked for; 0: as the machine has.
inline int ThreadCount(int requested) {
  if (requested > 0) return requested;
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

// Calls worker(begin, end) for chunks that cover [0, count), from several threads. make_worker is
// called once a thread, so that each has its own scratch space. Tasks write to places of their own:
// results do not depend on who ran them.
template <typename MakeWorker>
void ParallelFor(int64_t count, int threads, int64_t chunk, MakeWorker make_worker) {
  std::atomic<int64_t> next{0};
  auto run = [&] {
    auto worker = make_worker();
    for (;;) {
      const int64_t begin = next.fetch_add(chunk);
      if (begin >= count) return;
      worker(begin, std::min(count, begin + chunk));
    }
  };
  const int64_t chunks = (count + chunk - 1) / chunk;
  const int others = static_cast<int>(std::min<int64_t>(ThreadCount(threads), chunks)) - 1;
  std::vector<std::thread> pool;
  for (int i = 0; i < others; ++i) pool.emplace_back(run);
  run();
  for (std::thread& thread : pool) thread.join();
}

}  // namespace qatlas::fit

#endif  // QATLAS_FRAMEWORK_FIT_PARALLEL_H_
