// Weighted losses: see mtlreg/losses.py for their formulas and why they are written so. A thread works on a label; sums
// are taken chunk by chunk, by a warp each.

// Huber's threshold, the largest argument of exp, and the precision of the arrays.
struct Numbers { double threshold, limit, eps; };

// NaN stays NaN in both
INLINE double at_most(double x, double bound) { return x > bound ? bound : x; }
INLINE double at_least(double x, double bound) { return x < bound ? bound : x; }

INLINE double x_log_x(double x) { return x > 0.0 ? x * log(x) : 0.0; }

struct Squared {
    static INLINE_MEMBER double value(double y, double eta, Numbers) { return 0.5 * (y - eta) * (y - eta); }
    static INLINE_MEMBER double derivative(double y, double eta, Numbers) { return eta - y; }
    static INLINE_MEMBER double conjugate(double y, double v, Numbers) { return v * (0.5 * v + y); }
};

struct Huber {
    static INLINE_MEMBER double value(double y, double eta, Numbers with) {
        double r = fabs(y - eta), inside = at_most(r, with.threshold);
        return inside * (r - 0.5 * inside);
    }
    static INLINE_MEMBER double derivative(double y, double eta, Numbers with) {
        return at_least(at_most(eta - y, with.threshold), -with.threshold);
    }
    static INLINE_MEMBER double conjugate(double y, double v, Numbers with) {
        return fabs(v) > with.threshold * (1.0 + 4.0 * with.eps) ? HUGE_NUMBER : v * (0.5 * v + y);
    }
};

struct Logistic {
    static INLINE_MEMBER double value(double y, double eta, Numbers) {
        double s = (1.0 - 2.0 * y) * eta;
        return at_least(s, 0.0) + log1p(exp(-fabs(s)));
    }
    static INLINE_MEMBER double derivative(double y, double eta, Numbers) {
        double sign = 1.0 - 2.0 * y, s = sign * eta, e = exp(-fabs(s));
        return sign * (s >= 0.0 ? 1.0 / (1.0 + e) : e / (1.0 + e));
    }
    static INLINE_MEMBER double conjugate(double y, double v, Numbers) {
        double a = (1.0 - 2.0 * y) * v;
        return a < 0.0 || a > 1.0 ? HUGE_NUMBER : x_log_x(a) + x_log_x(1.0 - a);
    }
};

struct SquaredHinge {
    static INLINE_MEMBER double value(double y, double eta, Numbers) {
        double lack = at_least(1.0 - (2.0 * y - 1.0) * eta, 0.0);
        return 0.5 * lack * lack;
    }
    static INLINE_MEMBER double derivative(double y, double eta, Numbers) {
        double s = 2.0 * y - 1.0;
        return -s * at_least(1.0 - s * eta, 0.0);
    }
    static INLINE_MEMBER double conjugate(double y, double v, Numbers) {
        double a = (2.0 * y - 1.0) * v;
        return a > 0.0 ? HUGE_NUMBER : a * (1.0 + 0.5 * a);
    }
};

struct Poisson {
    static INLINE_MEMBER double value(double y, double eta, Numbers with) {
        if (!(y > 0.0)) return exp(at_most(eta, with.limit));
        double d = eta - log(y);
        return y * (expm1(at_most(d, with.limit)) - d);
    }
    static INLINE_MEMBER double derivative(double y, double eta, Numbers with) {
        return exp(at_most(eta, with.limit)) - y;
    }
    static INLINE_MEMBER double conjugate(double y, double v, Numbers) {
        double m = v + y;
        if (m < 0.0) return HUGE_NUMBER;
        if (y > 0.0 && m > 0.0) return m * log1p(v / y) + v * (log(y) - 1.0);
        return x_log_x(m) - v - x_log_x(y);
    }
};

// One predictor a label
template <typename Loss> struct OneColumn {
    template <typename real> static INLINE_MEMBER double value(double y, const real *eta, int, Numbers with) {
        return Loss::value(y, (double)eta[0], with);
    }
    template <typename real> static INLINE_MEMBER double conjugate(double y, const real *v, int, Numbers with) {
        return Loss::conjugate(y, (double)v[0], with);
    }
    template <typename real>
    static INLINE_MEMBER void derivative(real *u, double weight, double y, const real *eta, int, Numbers with) {
        u[0] = (real)(weight * Loss::derivative(y, (double)eta[0], with));
    }
};

struct Softmax {
    template <typename real> static INLINE_MEMBER double largest(const real *eta, int size) {
        double top = (double)eta[0];
        for (int k = 1; k < size; ++k) top = larger((double)eta[k], top);
        return top;
    }
    template <typename real> static INLINE_MEMBER double sum_of_powers(const real *eta, int size, double top) {
        double sum = 0.0;
        for (int k = 0; k < size; ++k) sum += exp(eta[k] - top);
        return sum;
    }
    template <typename real> static INLINE_MEMBER double value(double y, const real *eta, int size, Numbers) {
        double top = largest(eta, size), own = 0.0;
        for (int k = 0; k < size; ++k) own += k == y ? (double)eta[k] : 0.0;
        return log(sum_of_powers(eta, size, top)) + top - own;
    }
    template <typename real>
    static INLINE_MEMBER void derivative(real *u, double weight, double y, const real *eta, int size, Numbers) {
        double top = largest(eta, size), sum = sum_of_powers(eta, size, top);
        for (int k = 0; k < size; ++k) u[k] = (real)(weight * (exp(eta[k] - top) / sum - (k == y ? 1.0 : 0.0)));
    }
    template <typename real> static INLINE_MEMBER double conjugate(double y, const real *v, int size, Numbers with) {
        double total = 0.0, sum = 0.0;
        bool outside = false;
        for (int k = 0; k < size; ++k) {
            double p = v[k] + (k == y ? 1.0 : 0.0);
            outside = outside || p < 0.0;
            sum += v[k];
            total += x_log_x(p);
        }
        return outside || fabs(sum) > 64.0 * with.eps * size ? HUGE_NUMBER : total;
    }
};

INLINE int size_of_chunk(long long j, long long n, int chunk) {
    return n - j * chunk < chunk ? (int)(n - j * chunk) : chunk;
}

// width labels share a weight, size predictors belong to a label
#define LABELS(real) const real *y, const real *eta, const real *weights, long long n, long long width, int size
#define NUMBERS double threshold, double limit, double eps
#define WEIGHT(i) (double)weights[width == 1 ? i : i / width]

#define SUM_OF_ONE_LOSS(name, Loss, method, real)                                                                      \
    KERNEL name##_##method##_sum_##real(LABELS(real), NUMBERS, double *sums, int chunk) {                              \
        EACH_ROW(j, (n + chunk - 1) / chunk) {                                                                         \
            double total = 0.0;                                                                                        \
            EACH_ENTRY(k, size_of_chunk(j, n, chunk)) {                                                                \
                long long i = j * chunk + k;                                                                           \
                total += WEIGHT(i) * Loss::method((double)y[i], eta + i * size, size, Numbers{threshold, limit, eps}); \
            }                                                                                                          \
            sums[j] = sum_of_lanes(total);                                                                             \
        }                                                                                                              \
    }

#define OF_ONE_LOSS(name, Loss, real)                                                                                  \
    KERNEL name##_derivative_##real(LABELS(real), NUMBERS, real *u) {                                                  \
        EACH_ROW_ALONE(i, n)                                                                                           \
            Loss::derivative(u + i * size, WEIGHT(i), (double)y[i], eta + i * size, size,                              \
                             Numbers{threshold, limit, eps});                                                          \
    }                                                                                                                  \
    SUM_OF_ONE_LOSS(name, Loss, value, real)                                                                           \
    SUM_OF_ONE_LOSS(name, Loss, conjugate, real)

#define OF_ONE_TYPE(real)                                                                                              \
    OF_ONE_LOSS(squared, OneColumn<Squared>, real)                                                                     \
    OF_ONE_LOSS(huber, OneColumn<Huber>, real)                                                                         \
    OF_ONE_LOSS(logistic, OneColumn<Logistic>, real)                                                                   \
    OF_ONE_LOSS(squared_hinge, OneColumn<SquaredHinge>, real)                                                          \
    OF_ONE_LOSS(poisson, OneColumn<Poisson>, real)                                                                     \
    OF_ONE_LOSS(softmax, Softmax, real)

OF_ONE_TYPE(double)
OF_ONE_TYPE(float)
