# Makes survival.fixture.json: survfit, survdiff of R's survival package on its `aml` data (Miller 1981), the 7 rows of the
# statistics tests, mantelhaen.test on UCBAdmissions, TukeyHSD on PlantGrowth and ptukey.
# Run: Rscript survival.fixture.R > survival.fixture.json
suppressMessages(library(survival))
num <- function(x) paste0("[", paste(sprintf("%.16g", as.numeric(x)), collapse = ", "), "]")
sf <- function(time, status, ...) survfit(Surv(time, status) ~ 1, data = data.frame(time, status), ...)
curve <- function(time, status) {
  k <- summary(sf(time, status, conf.type = "log-log")); keep <- k$n.event > 0 & k$surv > 0
  r <- summary(sf(time, status, robust = TRUE))  # infinitesimal jackknife
  sprintf('{"time": %s, "status": %s, "steps": %s, "survival": %s, "error": %s, "lower": %s, "upper": %s, "robust": %s}',
    num(time), num(status), num(k$time[keep]), num(k$surv[keep]), num(k$std.err[keep]), num(k$lower[keep]), num(k$upper[keep]), num(r$std.err[keep]))
}
arm <- split(aml, aml$x)
d <- survdiff(Surv(time, status) ~ x, aml)
ties <- list(t = c(2, 2, 2, 3, 3, 4, 4, 5, 7, 7, 7, 9), s = c(1, 1, 0, 1, 0, 0, 1, 1, 1, 0, 1, 0))
u <- UCBAdmissions; h <- mantelhaen.test(u); h0 <- mantelhaen.test(u, correct = FALSE)
t <- TukeyHSD(aov(weight ~ group, PlantGrowth))$group
points <- list(c(3.5, 3, 27), c(1, 5, 4), c(4.2, 10, 60), c(.5, 3, 8), c(6, 4, 12), c(3.3, 3, Inf))
rows <- sapply(points, function(p) num(c(p, ptukey(p[1], p[2], p[3], lower.tail = FALSE))))
cat("{\n", paste(c(
  sprintf('"maintained": %s', curve(arm$Maintained$time, arm$Maintained$status)),
  sprintf('"nonmaintained": %s', curve(arm$Nonmaintained$time, arm$Nonmaintained$status)),
  sprintf('"ties": %s', curve(ties$t, ties$s)),
  sprintf('"seven": %s', curve(c(1, 2, 3, 3, 5, 6, 8), c(1, 0, 1, 0, 1, 0, 0))),
  sprintf('"logRank": {"chisq": %.16g, "p": %.16g, "observed": %s, "expected": %s, "variance": %.16g}', d$chisq, pchisq(d$chisq, 1, lower.tail = FALSE), num(d$obs), num(d$exp), d$var[1, 1]),
  sprintf('"berkeley": %s', num(u)),
  sprintf('"berkeleyTest": {"corrected": %s, "uncorrected": %s, "ratio": %.16g, "interval": %s}', num(c(h$statistic, h$p.value)), num(c(h0$statistic, h0$p.value)), h$estimate, num(h$conf.int)),
  sprintf('"plants": %s', paste0("[", paste(tapply(PlantGrowth$weight, PlantGrowth$group, num), collapse = ", "), "]")),
  sprintf('"tukey": %s', paste0("[", paste(apply(t, 1, num), collapse = ", "), "]")),
  sprintf('"range": %s', sub("Inf", '"Infinity"', paste0("[", paste(rows, collapse = ", "), "]"))),
  sprintf('"quantile": %.16g', qtukey(.95, 3, 27))), collapse = ",\n"), "\n}\n", sep = "")
