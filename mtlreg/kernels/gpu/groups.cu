// Nested groups of entries inside a row: see mtlreg/kernels/generic/groups.py.

template <typename real> INLINE double group_length(const real *v, const long long *members, int size) {
    double top = 0.0, total = 0.0;
    EACH_ENTRY(k, size) top = larger(fabs((double)v[members[k]]), top);
    top = largest_of_lanes(top);
    if (top == 0.0 || isinf(top)) return top;
    EACH_ENTRY(k, size) {
        double a = (double)v[members[k]] / top;
        total += a * a;
    }
    return top * sqrt(sum_of_lanes(total));
}

#define OF_ONE_TYPE(real)                                                                                              \
    KERNEL shrink_groups_##real(real *U, long long p, int size, const long long *starts, const long long *members,     \
                                const double *weights, int n_groups) {                                                 \
        EACH_ROW(j, p) {                                                                                               \
            real *u = U + j * size;                                                                                    \
            for (int g = 0; g < n_groups; ++g) {                                                                       \
                const long long *inside = members + starts[g];                                                         \
                int count = (int)(starts[g + 1] - starts[g]);                                                          \
                double length = group_length(u, inside, count);                                                        \
                double factor = length <= weights[g] ? 0.0 : (length - weights[g]) / length;                           \
                EACH_ENTRY(k, count) u[inside[k]] = (real)(u[inside[k]] * factor);                                     \
                TOGETHER();                                                                                            \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    KERNEL measure_groups_##real(const real *V, real *norms, long long p, int size, const long long *starts,           \
                                 const long long *members, const double *weights, int n_groups) {                      \
        EACH_ROW(j, p) {                                                                                               \
            double total = 0.0;                                                                                        \
            for (int g = 0; g < n_groups; ++g)                                                                         \
                total += weights[g] * group_length(V + j * size, members + starts[g], (int)(starts[g + 1] - starts[g])); \
            norms[j] = (real)total;                                                                                    \
        }                                                                                                              \
    }

OF_ONE_TYPE(double)
OF_ONE_TYPE(float)
