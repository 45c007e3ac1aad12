# Makes reference.fixture.json: answers of R's own stats package (R 4.2). Run: Rscript reference.fixture.R > reference.fixture.json
out <- list()
put <- function(name, ...) out[[name]] <<- c(...)
a <- sleep$extra[sleep$group == 1]; b <- sleep$extra[sleep$group == 2]
w <- t.test(a, b)
put("welch sleep: t df p lower upper (group 1 - group 2)", w$statistic, w$parameter, w$p.value, w$conf.int)
w <- t.test(a, b, paired = TRUE)
put("paired sleep: t df p lower upper (group 1 - group 2)", w$statistic, w$parameter, w$p.value, w$conf.int)
w <- t.test(a, conf.level = 0.9)
put("one sample 90%: mean lower upper", w$estimate, w$conf.int)
skewed <- exp(((1:40) * 0.618034) %% 1 * 6); flat <- ((1:11) * 0.41421356) %% 1 * 50
w <- t.test(flat, skewed, conf.level = 0.99)
put("welch uneven 99%: t df p lower upper (flat - skewed)", w$statistic, w$parameter, w$p.value, w$conf.int)
tables <- list(c(56, 70, 48, 80), c(8, 1000, 0, 1000), c(9, 10, 3, 10), c(6, 7, 2, 7), c(5, 56, 0, 29), c(12000, 100000, 10000, 100000),
               c(533, 649, 1453, 1851), c(5, 649, 22, 1851), c(3, 20000, 9, 50000), c(20119, 45489, 20034, 44700))
for (v in tables) {
  m <- matrix(c(v[1], v[2] - v[1], v[3], v[4] - v[3]), 2)
  key <- paste(v, collapse = " ")
  p <- suppressWarnings(prop.test(c(v[1], v[3]), c(v[2], v[4]), correct = FALSE))
  put(paste("chi-squared", key), p$statistic, p$p.value)
  if (v[2] + v[4] < 80000) {
    f <- fisher.test(m)
    put(paste("fisher", key), f$p.value, f$estimate, f$conf.int)
    k <- max(0, v[1] + v[3] - v[4]):min(v[1] + v[3], v[2])
    d <- dhyper(k, v[2], v[4], v[1] + v[3]); s <- dhyper(v[1], v[2], v[4], v[1] + v[3])
    put(paste("mid-p", key), sum(d[d < s * (1 - 1e-7)]) + sum(d[abs(d / s - 1) <= 1e-7]) / 2)
  }
}
for (v in list(c(3, 20), c(0, 20), c(20, 20), c(81, 263), c(1, 100000))) {
  put(paste("clopper-pearson", v[1], v[2]), binom.test(v[1], v[2])$conf.int)
  put(paste("wilson", v[1], v[2]), suppressWarnings(prop.test(v[1], v[2], correct = FALSE))$conf.int)
}
for (v in list(list(c(10120, 9880), c(.5, .5)), list(c(3333, 3400, 3267), c(.34, .33, .33)), list(c(821588, 815482), c(.5, .5)),
               list(c(1851, 649), c(.7, .3)), list(c(1000, 1100), c(.5, .5)), list(c(44700, 45489), c(.5, .5)))) {
  x <- chisq.test(v[[1]], p = v[[2]])
  put(paste("srm", paste(v[[1]], collapse = " ")), x$statistic, x$parameter, x$p.value)
}
put("power.t n=20 delta=1", power.t.test(n = 20, delta = 1)$power)
put("power.t n=5 delta=2 sd=1.3 alpha=.01", power.t.test(n = 5, delta = 2, sd = 1.3, sig.level = .01)$power)
put("power.t n for .9", power.t.test(delta = 1, power = .9, tol = 1e-12)$n)
put("power.t delta for n=1000 sd=10 power=.8", power.t.test(n = 1000, sd = 10, power = .8, tol = 1e-12)$delta)
put("power.prop n=50", power.prop.test(50, .5, .75)$power)
put("power.prop n for .9", power.prop.test(p1 = .5, p2 = .75, power = .9, tol = 1e-12)$n)
put("power.prop n .10 .11", power.prop.test(p1 = .10, p2 = .11, power = .8, tol = 1e-12)$n)
items <- vapply(names(out), function(k) sprintf('"%s": [%s]', k, paste(sprintf("%.16g", out[[k]]), collapse = ", ")), "")
items <- gsub("Inf", '"Infinity"', items)
cat("{\n", paste(items, collapse = ",\n"), "\n}\n", sep = "")
