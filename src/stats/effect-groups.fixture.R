# Makes effect-groups.fixture.json: the best linear predictor by lm with sandwich's HC2 errors, groups by hand, several means by
# oneway.test, and the Qini coefficient by its definition: the area between the curve of gains, summed unit by unit, and its chord.
# Run: Rscript effect-groups.fixture.R > effect-groups.fixture.json
suppressMessages(library(sandwich))
num <- function(x) paste0("[", paste(sprintf("%.15g", x), collapse = ", "), "]")
set.seed(7)
n <- 60; score <- round(rnorm(n), 3); t <- rep(c(0, 1, 1), 20); y <- round(1 + score + t * (0.5 + score) + rnorm(n), 3)
p <- mean(t); s <- score - mean(score); d <- t - p
fit <- lm(y ~ s + d + I(d * s)); se <- sqrt(diag(vcovHC(fit, "HC2")))
o <- order(score); g <- rep(1:3, each = 20); eff <- sapply(1:3, function(k) { i <- o[g == k]; mean(y[i][t[i] == 1]) - mean(y[i][t[i] == 0]) })
err <- sapply(1:3, function(k) { i <- o[g == k]; sqrt(var(y[i][t[i] == 1]) / sum(t[i] == 1) + var(y[i][t[i] == 0]) / sum(t[i] == 0)) })
w <- oneway.test(y[o] ~ factor(g)) # Welch's F-test of means: effects against a control without noise
m1 <- mean(y[t == 1]); m0 <- mean(y[t == 0]); e <- m1 - m0 + t * (y - m1) / p - (1 - t) * (y - m0) / (1 - p)
best <- rev(o); gain <- cumsum(e[best]) / n
# Trapezoids between the points (k / n, gain of the best k), less the triangle under the chord.
curve <- c(0, gain); area <- sum((curve[-1] + curve[-(n + 1)]) / 2) / n - gain[n] / 2
cat(sprintf('{"score": %s, "treated": %s, "outcome": %s, "average": %s, "slope": %s, "effects": %s, "errors": %s, "means": %s, "qini": %.15g, "gains": %s}\n', num(score), num(t), num(y),
  num(c(coef(fit)[3], se[3])), num(c(coef(fit)[4], se[4])), num(eff), num(err), num(c(w$statistic, w$parameter, w$p.value)), area, num(gain[(1:10) * n / 10])))
