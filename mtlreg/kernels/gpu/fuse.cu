// Total variation: see mtlreg/kernels/generic/fuse.py. Along a chain a thread works on a row, Johnson's dynamic programme
// with every knot put in and taken out once; scratch lies entry by entry, so that neighbours read neighbours. On a graph
// a warp works on a row, lanes along its entries and along the edges in turn, until this row has converged.

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

// Edges of a graph, and for every node those that begin (e + 1) or end (-e - 1) there
struct Edges {
    int n_nodes, n_edges;
    const long long *pairs, *starts, *at_node;
    const double *limits;
    INLINE_MEMBER double flow(const double *z, int node) const {
        double total = 0.0;
        for (long long i = starts[node]; i < starts[node + 1]; ++i)
            total += at_node[i] > 0 ? z[at_node[i] - 1] : -z[-at_node[i] - 1];
        return total;
    }
};

template <typename real>
INLINE void fuse_on_graph(real *u, const Edges &graph, double *scratch, double step, int max_steps) {
    int n = graph.n_nodes, m = graph.n_edges;
    double *z = scratch, *ahead = z + m, *following = ahead + m, *rest = following + m;
    double middle = 0.0, size = 0.0, momentum = 1.0;
    EACH_ENTRY(k, n) middle += u[k];
    middle = sum_of_lanes(middle) / n;
    EACH_ENTRY(k, n) size = larger(fabs(u[k] - middle), size);
    size = largest_of_lanes(size);
    EACH_ENTRY(e, m) z[e] = ahead[e] = 0.0;
    TOGETHER();
    for (int i = 0; i < max_steps; ++i) {
        EACH_ENTRY(k, n) rest[k] = u[k] - middle - graph.flow(ahead, k);
        TOGETHER();
        double uphill = 0.0, change = 0.0;
        EACH_ENTRY(e, m) {
            double bound = fmin(graph.limits[e], n * size);
            double goal = ahead[e] + step * (rest[graph.pairs[2 * e]] - rest[graph.pairs[2 * e + 1]]);
            following[e] = fmin(fmax(goal, -bound), bound);
            uphill += (ahead[e] - following[e]) * (following[e] - z[e]);
            change = larger(fabs(following[e] - ahead[e]), change);
        }
        if (sum_of_lanes(uphill) > 0.0) momentum = 1.0;
        if (!(largest_of_lanes(change) > 1e-15 * size)) break;
        double next = 0.5 * (1.0 + sqrt(1.0 + 4.0 * momentum * momentum)), share = (momentum - 1.0) / next;
        momentum = next;
        EACH_ENTRY(e, m) {
            ahead[e] = following[e] + share * (following[e] - z[e]);
            z[e] = following[e];
        }
        TOGETHER();
    }
    TOGETHER();
    EACH_ENTRY(k, n) u[k] = (real)(u[k] - middle - graph.flow(following, k) + middle);
}

#define OF_ONE_TYPE(real)                                                                                              \
    KERNEL fuse_chains_##real(real *U, long long p, int size, const double *limits, double *scratch) {                 \
        EACH_ROW_ALONE(j, p) fuse_row(U + j * size, size, limits, scratch, p, j);                                      \
    }                                                                                                                  \
    KERNEL fuse_graphs_##real(real *U, long long p, int size, const long long *pairs, int n_edges,                     \
                              const long long *starts, const long long *at_node, const double *limits,                 \
                              double *scratch, double step, int max_steps) {                                           \
        Edges graph = {size, n_edges, pairs, starts, at_node, limits};                                                 \
        EACH_ROW(j, p) fuse_on_graph(U + j * size, graph, scratch + j * (3LL * n_edges + size), step, max_steps);      \
    }

OF_ONE_TYPE(double)
OF_ONE_TYPE(float)
