// Total variation along a chain: see mtlreg/kernels/generic/fuse.py. A thread works on a row, Johnson's dynamic
// programme with every knot put in and taken out once; scratch lies entry by entry, so that neighbours read neighbours.

struct Scratch {
    double *start;
    long long stride;
    INLINE_MEMBER double &operator[](int t) const { return start[t * stride]; }
};

template <typename real>
INLINE void fuse_row(real *u, int n, const double *limits, double *scratch, long long p, long long j) {
    Scratch x = {scratch + j, p}, low = {scratch + n * p + j, p}, high = {scratch + 2 * n * p + j, p};
    Scratch place = {scratch + 3 * n * p + j, p}, slopes = {scratch + 5 * n * p + j, p};
    Scratch steps = {scratch + 7 * n * p + j, p};
    double top = u[0], bottom = u[0];
    for (int t = 1; t < n; ++t) top = larger((double)u[t], top), bottom = -larger(-(double)u[t], -bottom);
    double middle = 0.5 * (top + bottom), cap = 0.5 * n * (top - bottom), clip = 0.0;
    int left = n, right = n - 1;
    for (int t = 0; t < n; ++t) {
        double y = u[t] - middle, limit = t < n - 1 ? fmin(limits[t], cap) : 0.0;
        double a = 1.0, c = -clip - y;
        for (; left <= right && a * place[left] + c <= -limit; ++left) a += slopes[left], c += steps[left];
        low[t] = (-limit - c) / a;
        if (t == n - 1) break;
        double b = 1.0, d = clip - y;
        for (; right >= left && b * place[right] + d >= limit; --right) b -= slopes[right], d -= steps[right];
        high[t] = (limit - d) / b;
        --left;
        place[left] = low[t], slopes[left] = a, steps[left] = c + limit;
        ++right;
        place[right] = high[t], slopes[right] = -b, steps[right] = limit - d;
        clip = limit;
    }
    x[n - 1] = low[n - 1];
    for (int t = n - 2; t >= 0; --t) x[t] = fmin(fmax(x[t + 1], low[t]), high[t]);
    // the values of runs of equal entries afresh: their mean, moved by the edges at both ends
    double before = 0.0;
    for (int start = 0, stop; start < n; start = stop) {
        double total = u[start] - before, value = x[start];
        for (stop = start + 1; stop < n && x[stop] == value; ++stop) total += u[stop];
        before = stop == n ? 0.0 : value > x[stop] ? limits[stop - 1] : -limits[stop - 1];
        double mean = (total - before) / (stop - start);
        for (int t = start; t < stop; ++t) u[t] = (real)mean;
        before = -before;
    }
}

#define OF_ONE_TYPE(real)                                                                                              \
    KERNEL fuse_chains_##real(real *U, long long p, int size, const double *limits, double *scratch) {                 \
        EACH_ROW_ALONE(j, p) fuse_row(U + j * size, size, limits, scratch, p, j);                                      \
    }

OF_ONE_TYPE(double)
OF_ONE_TYPE(float)
