// Products with rows that belong to one task each: see mtlreg/kernels/generic/stacked.py. Every task has a height and a
// width of its own, and nothing is padded. X lies in memory in any way; its steps are counted in entries.

#define SIDE_BY_SIDE 4  // columns of a task worked on together, for which a row of X is read once

template <typename real> struct Matrix {
    const real *first;
    long long down, across;
    INLINE_MEMBER double at(long long i, long long k) const { return first[i * down + k * across]; }
};

// The predictors of a row: W' has a row for each column of the task
template <typename real>
INLINE void multiply_row(const Matrix<real> &X, long long i, int size, const real *W, int width, real *eta) {
    for (int c = 0; c < width; c += SIDE_BY_SIDE) {
        int many = width - c;
        double sums[SIDE_BY_SIDE] = {0.0, 0.0, 0.0, 0.0};
        EACH_ENTRY(k, size) {
            double x = X.at(i, k);
            for (int e = 0; e < SIDE_BY_SIDE; ++e)
                if (e < many) sums[e] += x * W[(long long)(c + e) * size + k];
        }
        for (int e = 0; e < SIDE_BY_SIDE; ++e)
            if (e < many) eta[c + e] = (real)sum_of_lanes(sums[e]);
    }
}

// One feature's sums over some rows of a task, a number for each of its columns
template <typename real>
INLINE void add_rows(const Matrix<real> &X, long long start, long long stop, int k, const real *R, int width,
                     double *sums, long long step) {
    for (int c = 0; c < width; c += SIDE_BY_SIDE) {
        int many = width - c;
        double own[SIDE_BY_SIDE] = {0.0, 0.0, 0.0, 0.0};
        const real *r = R + c;
        for (long long i = start; i < stop; ++i, r += width) {
            double x = X.at(i, k);
            for (int e = 0; e < SIDE_BY_SIDE; ++e)
                if (e < many) own[e] += x * r[e];
        }
        for (int e = 0; e < SIDE_BY_SIDE; ++e)
            if (e < many) sums[(c + e) * step] = own[e];
    }
}

// Rows of a task are added up in pieces, each by threads of its own, and the pieces in their order: the same in every
// run. ``places`` (n_columns + 1) says which rows of the partial sums are a column's.
#define OF_ONE_TYPE(real)                                                                                              \
    KERNEL multiply_rows_##real(const real *X, long long down, long long across, long long n, int size, const real *W, \
                                real *eta, const int *tasks, const long long *starts, const long long *columns,        \
                                const long long *offsets) {                                                            \
        EACH_ROW(i, n) {                                                                                               \
            int t = tasks[i], width = (int)(columns[t + 1] - columns[t]);                                              \
            multiply_row(Matrix<real>{X, down, across}, i, size, W + columns[t] * size, width,                         \
                         eta + offsets[t] + (i - starts[t]) * width);                                                  \
        }                                                                                                              \
    }                                                                                                                  \
    KERNEL add_pieces_##real(const real *X, long long down, long long across, long long n_pieces, int size,            \
                             const real *R, double *sums, const int *tasks, const long long *firsts, int height,       \
                             const long long *starts, const long long *columns, const long long *offsets,              \
                             const long long *places) {                                                                \
        EACH_ROW_ALONE(j, n_pieces * size) {                                                                           \
            long long piece = j / size;                                                                                \
            int k = (int)(j % size), t = tasks[piece], width = (int)(columns[t + 1] - columns[t]);                     \
            long long inside = (piece - firsts[t]) * height, start = starts[t] + inside, stop = start + height;        \
            stop = stop < starts[t + 1] ? stop : starts[t + 1];                                                        \
            add_rows(Matrix<real>{X, down, across}, start, stop, k, R + offsets[t] + inside * width, width,            \
                     sums + (places[columns[t]] + piece - firsts[t]) * size + k, (firsts[t + 1] - firsts[t]) * size);  \
        }                                                                                                              \
    }                                                                                                                  \
    KERNEL join_pieces_##real(const double *sums, real *G, int size, long long n_columns, const long long *places) {   \
        EACH_ROW_ALONE(j, n_columns * size) {                                                                          \
            long long c = j / size;                                                                                    \
            int k = (int)(j % size);                                                                                   \
            double total = 0.0;                                                                                        \
            for (long long i = places[c]; i < places[c + 1]; ++i) total += sums[i * size + k];                         \
            G[k * n_columns + c] = (real)total;                                                                        \
        }                                                                                                              \
    }

OF_ONE_TYPE(double)
OF_ONE_TYPE(float)
