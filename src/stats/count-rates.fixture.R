# Makes count-rates.fixture.json: two Poisson rates by R 4.2. Run: Rscript count-rates.fixture.R > count-rates.fixture.json
# Each case: control events, control exposure, candidate events, candidate exposure, alpha. R's first sample is the candidate.
cases <- list(c(21, 3011, 11, 800, .05), c(3, 100, 9, 120, .05), c(0, 50, 4, 60, .05), c(5, 40.5, 0, 80.25, .1), c(10000, 1e5, 12000, 1e5, .01),
              c(2, 1e6, 14, 1.5e6, .05), c(150, 12, 151, 11.5, .2), c(7, 10, 7, 10, .05))
z2 <- function(x, s, y, t, delta) {  # squared score statistic at candidate - control = delta, by numerical maximum likelihood
  score <- function(r) (if (x > 0) x / r else 0) + (if (y > 0) y / (r + delta) else 0) - s - t
  low <- max(0, -delta); high <- (x + y) / min(s, t) + abs(delta) + 1
  at <- low + 1e-14 * high
  r <- if (score(at) <= 0) low else uniroot(score, c(at, high), tol = 1e-16, maxiter = 10000)$root
  (y / t - x / s - delta)^2 / (r / s + (r + delta) / t)
}
rows <- sapply(cases, function(v) {
  x <- v[1]; s <- v[2]; y <- v[3]; t <- v[4]; a <- v[5]; q <- qnorm(1 - a / 2)^2
  e <- poisson.test(c(y, x), c(t, s), conf.level = 1 - a)
  n <- x + y; p0 <- t / (s + t)
  low <- pbinom(y, n, p0); high <- pbinom(y - 1, n, p0, lower.tail = FALSE)
  w <- suppressWarnings(prop.test(y, n, conf.level = 1 - a, correct = FALSE))$conf.int
  d <- y / t - x / s; step <- 20 * sqrt((x + 3) / s^2 + (y + 3) / t^2)
  f <- function(delta) z2(x, s, y, t, delta) - q
  ends <- c(uniroot(f, c(d - step, d - 1e-9 * step), tol = 1e-15 * step, maxiter = 10000)$root, uniroot(f, c(d + 1e-9 * step, d + step), tol = 1e-15 * step, maxiter = 10000)$root)
  num <- function(z) ifelse(is.finite(z), sprintf("%.16g", z), '"Infinity"')
  one <- poisson.test(y, t, conf.level = 1 - a)$conf.int
  sprintf('{"case": [%s], "p": %s, "central": %s, "mid": %s, "exact": [%s], "score": %s, "ratio": [%s], "difference": [%s], "garwood": [%s]}',
          paste(num(v), collapse = ", "), num(e$p.value), num(min(1, 2 * min(low, high))), num(min(1, 2 * (min(low, high) - dbinom(y, n, p0) / 2))),
          paste(num(e$conf.int), collapse = ", "), num((y / n - p0) / sqrt(p0 * (1 - p0) / n)),
          paste(num(w / (1 - w) * s / t), collapse = ", "), paste(num(ends), collapse = ", "), paste(num(one), collapse = ", "))
})
cat("[\n", paste(rows, collapse = ",\n"), "\n]\n", sep = "")
