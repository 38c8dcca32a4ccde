// Steps of accelerated gradient methods: see mtlreg/kernels/generic/steps.py. Each is one pass over its arrays.

#define OF_ONE_TYPE(real)                                                                                              \
    KERNEL accelerate_##real(const real *t, real *following, real *beta, long long count) {                            \
        EACH_ROW_ALONE(i, count) {                                                                                     \
            double next = 0.5 * (1.0 + sqrt(1.0 + 4.0 * t[i] * t[i]));                                                 \
            following[i] = (real)next;                                                                                 \
            beta[i] = (real)((t[i] - 1.0) / next);                                                                     \
        }                                                                                                              \
    }                                                                                                                  \
    KERNEL restart_##real(const real *t, const double *slope, real *following, long long count) {                      \
        EACH_ROW_ALONE(i, count) following[i] = slope[i] > 0.0 ? (real)1.0 : t[i];                                     \
    }                                                                                                                  \
    KERNEL extrapolate_##real(const real *x, const real *previous, const real *beta, real *out, long long size,       \
                              long long width, long long count) {                                                      \
        EACH_ROW_ALONE(i, size) {                                                                                      \
            double b = beta[count == 1 ? 0 : i / width % count];                                                       \
            out[i] = (real)(x[i] + b * ((double)x[i] - previous[i]));                                                  \
        }                                                                                                              \
    }                                                                                                                  \
    KERNEL descend_##real(const real *x, const real *slope, real *out, long long size, double length) {               \
        EACH_ROW_ALONE(i, size) out[i] = (real)(x[i] - length * slope[i]);                                             \
    }                                                                                                                  \
    KERNEL uphill_##real(const real *ahead, const real *x, const real *previous, double *sums, long long p,           \
                         int size) {                                                                                   \
        EACH_ROW(j, p) {                                                                                               \
            double total = 0.0;                                                                                        \
            EACH_ENTRY(k, size) {                                                                                      \
                long long i = j * size + k;                                                                            \
                total += ((double)ahead[i] - x[i]) * ((double)x[i] - previous[i]);                                     \
            }                                                                                                          \
            sums[j] = sum_of_lanes(total);                                                                             \
        }                                                                                                              \
    }

OF_ONE_TYPE(double)
OF_ONE_TYPE(float)
