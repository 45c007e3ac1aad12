# Makes models.fixture.json: DeLong (pROC), McNemar, Wilcoxon signed ranks, Kolmogorov-Smirnov, kappa by formula in R 4.2.
# The rows of `aSAH` are those of Turck et al. 2010, Intensive Care Medicine 36, as given with pROC. Needs r-cran-proc.
# Run: Rscript models.fixture.R > models.fixture.json
suppressMessages(library(pROC))
data(aSAH)
out <- list()
num <- function(v) if (length(v) == 1) sprintf("%.16g", v) else paste0("[", paste(sprintf("%.16g", v), collapse = ", "), "]")
put <- function(name, v) out[[name]] <<- v
y <- as.integer(aSAH$outcome == "Poor")
put("labels", y); put("s100b", aSAH$s100b); put("ndka", aSAH$ndka); put("wfns", as.integer(aSAH$wfns))
r <- function(x) roc(y, x, levels = c(0, 1), direction = "<")
a <- r(aSAH$s100b); b <- r(aSAH$ndka); w <- r(as.integer(aSAH$wfns))
put("areas s100b ndka wfns", c(auc(a), auc(b), auc(w)))
put("var s100b ndka wfns", c(var(a), var(b), var(w)))
put("cov wfns-s100b wfns-ndka s100b-ndka", c(cov(w, a), cov(w, b), cov(a, b)))
put("ci s100b", as.numeric(ci.auc(a))[c(1, 3)])
t <- roc.test(w, a, method = "delong"); put("wfns against s100b: z p", c(t$statistic, t$p.value))
t <- roc.test(b, a, method = "delong"); put("ndka against s100b: z p", c(t$statistic, t$p.value))
m <- matrix(c(794, 86, 150, 570), 2)
put("mcnemar 86 150: corrected chi2 p, plain chi2 p, exact p",
    c(mcnemar.test(m)$statistic, mcnemar.test(m)$p.value, mcnemar.test(m, correct = FALSE)$statistic, mcnemar.test(m, correct = FALSE)$p.value,
      binom.test(86, 236)$p.value))
put("exact 9 21", binom.test(9, 30)$p.value)
x <- c(1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30); z <- c(0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29)
t <- wilcox.test(x, z, paired = TRUE); put("depression first", x); put("depression second", z); put("signed rank V p", c(t$statistic, t$p.value))
d <- c(3, -1, 2, 2, 5, -4, 6, 7, 1, 1, 8, -2, 0, 4); t <- suppressWarnings(wilcox.test(d)); put("tied", d); put("tied V p", c(t$statistic, t$p.value))
set.seed(3); d <- round(rnorm(60, .3), 6); t <- wilcox.test(d, exact = FALSE); put("sixty", d); put("sixty V p", c(t$statistic, t$p.value))
u <- round(rnorm(23), 4); v <- round(rexp(31) - .5, 4); t <- ks.test(u, v); put("ks one", u); put("ks two", v); put("ks two-sample D p", c(t$statistic, t$p.value))
u <- round(rnorm(20)); v <- round(rnorm(30, .7)); t <- suppressWarnings(ks.test(u, v, exact = TRUE)); put("ks tied one", u); put("ks tied two", v); put("ks tied D p", c(t$statistic, t$p.value))
t <- ks.test(seq(.05, .96, length.out = 18)^2, "punif"); put("ks punif D p", c(t$statistic, t$p.value))
cat("{\n", paste(vapply(names(out), function(k) sprintf('"%s": %s', k, num(out[[k]])), ""), collapse = ",\n"), "\n}\n", sep = "")
