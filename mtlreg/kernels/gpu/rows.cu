// Row-wise mixed norms: see mtlreg/kernels/generic/rows.py for what is computed and why.

#define TINY 1e-300
#define MAX_STEPS 100

// Entries of a row after the soft threshold, as absolute values.
template <typename real> struct Row {
    const real *v;
    int size;
    double entry;
    bool positive;
    INLINE_MEMBER double at(int k) const {
        double a = (positive ? (double)v[k] : fabs((double)v[k])) - entry;
        return a < 0.0 ? 0.0 : a;
    }
};

template <typename real> INLINE double largest(const Row<real> &row) {
    double top = 0.0;
    EACH_ENTRY(k, row.size) top = larger(row.at(k), top);
    return largest_of_lanes(top);
}

template <typename real> INLINE double norm(const Row<real> &row, double q) {
    double total = 0.0;
    if (q == 1.0 || q == 2.0) {
        EACH_ENTRY(k, row.size) {
            double a = row.at(k);
            total += q == 1.0 ? a : a * a;
        }
        total = sum_of_lanes(total);
        if (q == 1.0) return total;
        if (total > 1e-280 && total < 1e300) return sqrt(total);
    }
    double top = largest(row);
    if (isinf(q) || top == 0.0 || isinf(top)) return top;
    total = 0.0;
    EACH_ENTRY(k, row.size) total += pow(row.at(k) / top, q);
    return top * pow(sum_of_lanes(total), 1.0 / q);
}

INLINE double conjugate(double q) { return q == 1.0 ? HUGE_NUMBER : isinf(q) ? 1.0 : q / (q - 1.0); }
INLINE double newton_tolerance(double m) { return fmax(1e-8 / m, 1e-15); }

struct Powers { double x, y, r, slope; };

// first x + power x^m = a for x >= 0: x, x^m and the slope of the left side
INLINE Powers two_powers(double a, double first, double power, double m) {
    if (a < TINY) return {0.0, 0.0, 0.0, first};
    double x = pow(a / power, 1.0 / m), p = a / power / x, step = 0.0;
    if (a / first < x) {
        x = a / first;
        p = pow(x, m - 1.0);
    }
    for (int i = 0; i < MAX_STEPS; ++i) {
        step = (first * x + power * p * x - a) / (first + m * power * p);
        if (!(step > newton_tolerance(m) * x)) break;
        x -= step;
        p = pow(x, m - 1.0);
    }
    p *= 1.0 - (m - 1.0) * step / x;
    x -= step;
    double y = p * x;
    if (m * power * y > a) y = (a - first * x) / power;
    return {x, y, 0.0, first + m * power * p};
}

// s r + weight r^(q-1) = a
INLINE Powers normalised(double a, double s, double weight, double m, double q) {
    s = fmax(s, TINY);
    Powers found = q >= 2.0 ? two_powers(a, s, weight, m) : two_powers(a, weight, s, m);
    found.r = q >= 2.0 ? found.x : found.y;
    return found;
}

template <typename real> INLINE void write(real *u, const real *v, int k, double a) {
    u[k] = (real)copysign(a, (double)v[k]);
}

template <typename real> INLINE void clear(const Row<real> &row, real *u) {
    EACH_ENTRY(k, row.size) write(u, row.v, k, 0.0);
}

// Michelot's method for the level t >= 0 with sum_k max(a_k - t, 0) = weight
template <typename real> INLINE void clip_at_ceiling(const Row<real> &row, real *u, double weight) {
    double total = norm(row, 1.0);
    if (total <= weight) return clear(row, u);
    double level = fmax((total - weight) / row.size, largest(row) - weight);
    while (true) {
        double sum = 0.0, count = 0.0;
        EACH_ENTRY(k, row.size) {
            double a = row.at(k);
            if (a > level) sum += a, count += 1.0;
        }
        sum = sum_of_lanes(sum);
        count = sum_of_lanes(count);
        if (count == 0.0 || !((sum - weight) / count > level)) break;
        level = (sum - weight) / count;
    }
    EACH_ENTRY(k, row.size) {
        double a = row.at(k);
        write(u, row.v, k, a > level ? level : a);
    }
}

// The equations of the generic _solve_rows
template <typename real> INLINE void shrink_general(const Row<real> &row, real *u, double weight, double q) {
    if (norm(row, conjugate(q)) <= weight) return clear(row, u);
    double m = q >= 2.0 ? q - 1.0 : 1.0 / (q - 1.0), kappa = q >= 2.0 ? 3.0 / q - 1.0 : 1.0 / q;
    double scale = largest(row);
    weight = fmax(weight / scale, TINY);
    double s = fmax(1.0 - weight, 0.0);
    for (int i = 0; i < MAX_STEPS; ++i) {
        double total = 0.0, slope = 0.0;
        EACH_ENTRY(k, row.size) {
            Powers at = normalised(row.at(k) / scale, s, weight, m, q);
            total += at.x * at.y;
            slope += at.y * at.r / at.slope;
        }
        total = sum_of_lanes(total);
        slope = sum_of_lanes(slope);
        double log_s = log(total);
        double step = total / ((m + 1.0) * slope) * (kappa == 0.0 ? log_s : expm1(kappa * log_s) / kappa);
        s = fmax(s + step, 0.0);
        if (!(step > newton_tolerance(m))) break;
    }
    EACH_ENTRY(k, row.size) {
        double r = normalised(row.at(k) / scale, s, weight, m, q).r;
        write(u, row.v, k, scale * s * r);
    }
}

template <typename real>
INLINE void shrink_row(const real *v, real *u, int size, double entry, double weight, double q, bool positive) {
    if (q == 1.0 || size == 1) {  // on a single entry every norm is the absolute value
        entry += weight;
        weight = 0.0;
    }
    Row<real> row = {v, size, entry, positive};
    if (weight > 0.0 && isinf(q)) return clip_at_ceiling(row, u, weight);
    if (weight > 0.0 && q != 2.0) return shrink_general(row, u, weight, q);
    double factor = 1.0;
    if (weight > 0.0) {
        double length = norm(row, 2.0);
        factor = length <= weight ? 0.0 : (length - weight) / length;
    }
    EACH_ENTRY(k, size) write(u, v, k, factor * row.at(k));
}

// The smallest alpha that makes a row feasible, by Newton's method from the left
template <typename real>
INLINE double row_strength(const real *v, int size, double ratio, double dual, bool positive) {
    double alpha = largest(Row<real>{v, size, 0.0, positive});
    while (true) {
        Row<real> row = {v, size, alpha * ratio, positive};
        double length = norm(row, dual), excess = length - alpha * (1.0 - ratio);
        if (!(excess > 0.0)) return alpha;
        double slope = 0.0;
        EACH_ENTRY(k, size) {
            double a = row.at(k);
            if (a > 0.0) slope += pow(a / length, dual - 1.0);
        }
        slope = 1.0 - ratio + ratio * sum_of_lanes(slope);
        alpha = fmax(alpha + excess / slope, alpha * (1.0 + 2.3e-16) + 5e-324);
    }
}

#define OF_ONE_TYPE(real)                                                                                              \
    KERNEL shrink_rows_##real(const real *V, real *U, long long p, int size, double entry, double weight, double q,    \
                              int positive) {                                                                          \
        EACH_ROW(j, p) shrink_row(V + j * size, U + j * size, size, entry, weight, q, positive != 0);                  \
    }                                                                                                                  \
    KERNEL measure_rows_##real(const real *V, real *norms, long long p, int size, double entry, double q,              \
                               int positive) {                                                                         \
        EACH_ROW(j, p) norms[j] = (real)norm(Row<real>{V + j * size, size, entry, positive != 0}, q);                  \
    }                                                                                                                  \
    KERNEL row_strengths_##real(const real *V, double *alphas, long long p, int size, double ratio, double dual,       \
                                int positive) {                                                                        \
        EACH_ROW(j, p) alphas[j] = row_strength(V + j * size, size, ratio, dual, positive != 0);                       \
    }

OF_ONE_TYPE(double)
OF_ONE_TYPE(float)
