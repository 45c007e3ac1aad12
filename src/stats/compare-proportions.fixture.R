# Makes compare-proportions.fixture.json: melded intervals by R's own beta distribution and adaptive integration, one-sided
# tails by R's hypergeometric distribution. Run: Rscript compare-proportions.fixture.R > compare-proportions.fixture.json
# Fay, Proschan & Brittain 2015: lower limit = quantile of L1 - U0, upper limit = quantile of U1 - L0, where L and U have the
# beta distributions of Clopper and Pearson's limits. The mid-p form averages the two distributions of the difference.
below <- function(d, a1, b1, a0, b0) { # P(X1 - X0 <= d), shapes 0 stand for the points 0 and 1
  if (a1 == 0 || b1 == 0) { x <- if (a1 == 0) 0 else 1; return(if (a0 == 0) as.numeric(x <= d) else if (b0 == 0) as.numeric(x - 1 <= d) else pbeta(x - d, a0, b0, lower.tail = FALSE)) }
  if (a0 == 0 || b0 == 0) { x <- if (a0 == 0) 0 else 1; return(pbeta(x + d, a1, b1)) }
  f <- function(x) dbeta(x, a0, b0) * pbeta(x + d, a1, b1)
  q <- qbeta(c(1e-14, 1e-6, .01, .2, .5, .8, .99), a0, b0); top <- qbeta(1e-14, a0, b0, lower.tail = FALSE)
  k <- c(-d, 1 - d, qbeta(c(1e-9, .01, .5, .99, 1 - 1e-9), a1, b1) - d)
  p <- sort(unique(c(q, top, k[k > q[1] & k < top])))
  s <- 0; for (i in 2:length(p)) s <- s + integrate(f, p[i - 1], p[i], rel.tol = 1e-12, abs.tol = 1e-16, subdivisions = 400, stop.on.error = FALSE)$value
  s
}
low <- function(d, x0, n0, x1, n1) below(d, if (x1 == 0) 0 else x1, if (x1 == 0) 1 else n1 - x1 + 1, if (x0 == n0) 1 else x0 + 1, if (x0 == n0) 0 else n0 - x0)
high <- function(d, x0, n0, x1, n1) below(d, if (x1 == n1) 1 else x1 + 1, if (x1 == n1) 0 else n1 - x1, if (x0 == 0) 0 else x0, if (x0 == 0) 1 else n0 - x0 + 1)
root <- function(f) if (f(-1) >= 0) -1 else if (f(1) <= 0) 1 else uniroot(f, c(-1, 1), tol = 1e-13, maxiter = 500)$root
rows <- c()
for (r in list(c(0, 1000, 8, 1000), c(2, 1000, 5, 1000), c(3, 9000, 4, 1000), c(1, 30, 0, 30), c(0, 10, 9, 9), c(400, 900, 0, 3), c(5, 6, 50, 400), c(9, 9, 7, 12), c(2, 40, 30, 31))) {
  x0 <- r[1]; n0 <- r[2]; x1 <- r[3]; n1 <- r[4]; h <- x0 + x1
  le <- phyper(x1, n1, n0, h); ge <- phyper(x1 - 1, n1, n0, h, lower.tail = FALSE); eq <- dhyper(x1, n1, n0, h)
  L <- function(d) low(d, x0, n0, x1, n1); H <- function(d) high(d, x0, n0, x1, n1); M <- function(d) (L(d) + H(d)) / 2
  rows <- c(rows, sprintf('{"counts": [%d, %d, %d, %d], "midP": %.15g, "exactP": %.15g, "fisherP": %.15g, "mid": [%.12g, %.12g], "exact": [%.12g, %.12g]}', x0, n0, x1, n1,
    min(1, 2 * min(le, ge) - eq), min(1, 2 * min(le, ge)), fisher.test(matrix(c(x1, n1 - x1, x0, n0 - x0), 2))$p.value,
    root(function(d) M(d) - .025), root(function(d) M(d) - .975), root(function(d) L(d) - .025), root(function(d) H(d) - .975)))
}
cat("[\n", paste(rows, collapse = ",\n"), "\n]\n", sep = "")
