// One text for two compilers. On a GPU a warp works on a row, its lanes side by side; elsewhere (in the tests) the same
// loops run on the host, with warps of a single lane. All arithmetic is in double precision, whatever the arrays hold.

#ifdef __CUDACC__
#define KERNEL extern "C" __global__ void
#define LANES 32
#define LANE (threadIdx.x % LANES)
#define THREAD (blockIdx.x * (long long)blockDim.x + threadIdx.x)
#define THREADS (gridDim.x * (long long)blockDim.x)
#define EACH_ROW(j, p) for (long long j = THREAD / LANES; j < (p); j += THREADS / LANES)
#define EACH_ROW_ALONE(j, p) for (long long j = THREAD; j < (p); j += THREADS)
#define EACH_ENTRY(k, n) for (int k = LANE; k < (n); k += LANES)
#define INLINE __device__ __forceinline__
#define INLINE_MEMBER __device__ __forceinline__
#define TOGETHER() __syncwarp()
#define HUGE_NUMBER __longlong_as_double(0x7ff0000000000000LL)  // infinity, which NVRTC has no name for
INLINE double swapped(double x, int distance) { return __shfl_xor_sync(0xffffffffu, x, distance); }
#else
#include <cmath>
using std::copysign; using std::exp; using std::expm1; using std::fabs; using std::fmax; using std::fmin;
using std::isinf; using std::log; using std::log1p; using std::pow; using std::sqrt;
#define KERNEL extern "C" void
#define LANES 1
#define EACH_ROW(j, p) for (long long j = 0; j < (p); ++j)
#define EACH_ROW_ALONE(j, p) EACH_ROW(j, p)
#define EACH_ENTRY(k, n) for (int k = 0; k < (n); ++k)
#define INLINE static inline
#define INLINE_MEMBER inline
#define TOGETHER()
#define HUGE_NUMBER HUGE_VAL
INLINE double swapped(double x, int) { return x; }
#endif

// NaN stays NaN, whichever of the two it is
INLINE double larger(double a, double b) { return a > b || a != a ? a : b; }

INLINE double sum_of_lanes(double x) {
    for (int distance = LANES / 2; distance > 0; distance /= 2) x += swapped(x, distance);
    return x;
}

INLINE double largest_of_lanes(double x) {
    for (int distance = LANES / 2; distance > 0; distance /= 2) x = larger(x, swapped(x, distance));
    return x;
}
