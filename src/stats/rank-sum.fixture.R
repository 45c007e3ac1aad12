# Makes rank-sum.fixture.json: wilcox.test of R 4.2, and Brunner and Munzel's interval by hand from ranks.
# Run: Rscript rank-sum.fixture.R > rank-sum.fixture.json
num <- function(x) paste0("[", paste(sprintf("%.16g", as.numeric(x)), collapse = ", "), "]")
u <- function(k, n) ((1:n) * k) %% 1
cases <- list(list(c(1.15, .88, .90, .74, 1.21), c(.80, .83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, .73, 1.46)),  # R help, permeability
  list(u(0.618034, 49), u(0.41421356, 49) + .1), list(u(0.618034, 60), u(0.7320508, 35)^2 * 1.1), list(floor(9 * u(0.618034, 30)), floor(9 * u(0.41421356, 22)) + 2), list(c(1, 2, 3), c(4, 5, 6, 7)))
rows <- sapply(cases, function(v) {
  x <- v[[1]]; y <- v[[2]]; m <- length(x); n <- length(y)
  w <- suppressWarnings(wilcox.test(y, x))
  r <- rank(c(x, y)); px <- (r[1:m] - rank(x)); py <- (r[m + 1:n] - rank(y))
  vx <- var(px) / n^2 / m; vy <- var(py) / m^2 / n; df <- (vx + vy)^2 / (vx^2 / (m - 1) + vy^2 / (n - 1))
  p <- sum(py) / m / n; half <- if (vx + vy > 0) qt(.975, df) * sqrt(vx + vy) else 0
  sprintf('{"control": %s, "candidate": %s, "U": %.16g, "p": %.16g, "interval": %s}', num(x), num(y), w$statistic, w$p.value, num(c(max(0, p - half), min(1, p + half))))
})
cat("[\n", paste(rows, collapse = ",\n"), "\n]\n", sep = "")
