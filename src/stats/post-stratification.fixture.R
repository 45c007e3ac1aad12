# Makes post-stratification.fixture.json: post-stratification by hand in R 4.2.
# Run: Rscript post-stratification.fixture.R > post-stratification.fixture.json
num <- function(x) paste0("[", paste(sprintf("%.16g", as.numeric(x)), collapse = ", "), "]")
u <- function(k, n) ((1:n) * k) %% 1
n <- 60; s <- 1 + floor(3 * u(0.618034, n)); z <- as.numeric(u(0.7320508, n) > .4)
y <- c(2, 9, 30)[s] + c(.5, 1.5, 1)[s] * z + 4 * u(0.41421356, n)
w <- table(s) / n; w2 <- c(.5, .3, .2)
m <- tapply(y, list(z, s), mean); v <- tapply(y, list(z, s), var); k <- tapply(y, list(z, s), length)
answer <- function(w) { part <- rbind(w^2 * v[1, ] / k[1, ], w^2 * v[2, ] / k[2, ]); c(sum(w * m[1, ]), sum(w * m[2, ]), sqrt(sum(part)), sum(part)^2 / sum(part^2 / (k - 1))) }
raw <- tapply(y, z, var) / table(z)
out <- c(y = num(y), z = num(z), stratum = num(s), "own shares: control candidate se df" = num(answer(as.numeric(w))), "known shares: control candidate se df" = num(answer(w2)),
  "own shares: p" = num(2 * pt(-abs(diff(answer(as.numeric(w))[1:2])) / answer(as.numeric(w))[3], answer(as.numeric(w))[4])),
  "variance reduction" = num(1 - answer(as.numeric(w))[3]^2 / sum(raw)))
cat("{\n", paste(sprintf('"%s": %s', names(out), out), collapse = ",\n"), "\n}\n", sep = "")
