# Makes adjustment.fixture.json: regression, clustered errors and covariate adjustment by R 4.2 with packages MASS 7.3,
# sandwich 3.0 and clubSandwich 0.5. Data: R's own data sets ChickWeight and MASS::anorexia, and small made-up ones.
# Run: Rscript adjustment.fixture.R > adjustment.fixture.json
suppressPackageStartupMessages({ library(MASS); library(sandwich); library(clubSandwich) })
out <- list()
num <- function(x) paste0("[", paste(sprintf("%.16g", as.numeric(x)), collapse = ", "), "]")
put <- function(name, x) out[[name]] <<- num(x)
text <- function(name, x) out[[name]] <<- paste0("[", paste(sprintf('"%s"', x), collapse = ", "), "]")
# Clustered errors: ChickWeight by Chick
cw <- as.data.frame(ChickWeight)
put("chicks: weight", cw$weight); put("chicks: diet", as.integer(as.character(cw$Diet))); text("chicks: chick", as.character(cw$Chick))
put("chicks: time", cw$Time)
m <- lm(weight ~ Diet, cw)
put("chicks: coefficients", coef(m))
for (type in c("CR0", "CR2")) {
  t <- coef_test(m, vcov = type, cluster = cw$Chick, test = if (type == "CR2") "Satterthwaite" else "naive-t")
  put(paste("chicks:", type, "se"), t$SE); put(paste("chicks:", type, "df"), t[[grep("df", names(t))[1]]]); put(paste("chicks:", type, "p"), t[[grep("^p", names(t))[1]]])
}
m <- lm(weight ~ Diet + Time, cw)
t <- coef_test(m, vcov = "CR2", cluster = cw$Chick, test = "Satterthwaite")
put("chicks with time: coefficients", coef(m)); put("chicks with time: CR2 se", t$SE); put("chicks with time: CR2 df", t[[grep("df", names(t))[1]]])
put("chicks with time: CR2 covariance", vcovCR(m, cluster = cw$Chick, type = "CR2"))
# anorexia
put("anorexia: before", anorexia$Prewt); put("anorexia: after", anorexia$Postwt); text("anorexia: treatment", as.character(anorexia$Treat))
m <- lm(Postwt ~ Prewt + Treat + offset(Prewt), data = anorexia)
put("anorexia: coefficients", coef(m)); put("anorexia: se", sqrt(diag(vcov(m)))); put("anorexia: p", summary(m)$coefficients[, 4])
put("anorexia: HC2 se", sqrt(diag(vcovHC(m, "HC2"))))
put("anorexia: HC2 df", { t <- coef_test(m, vcov = "CR2", cluster = seq_len(nrow(anorexia)), test = "Satterthwaite"); t[[grep("df", names(t))[1]]] })
# Lin 2013: CBT as control, family therapy as candidate
a <- subset(anorexia, Treat != "Cont"); z <- as.numeric(a$Treat == "FT"); x <- a$Prewt - mean(a$Prewt)
m <- lm(a$Postwt ~ z + x + z:x)
t <- coef_test(m, vcov = "CR2", cluster = seq_len(nrow(a)), test = "Satterthwaite")
put("lin: control effect", coef(m)[1:2]); put("lin: HC2 se", sqrt(vcovHC(m, "HC2")[2, 2])); put("lin: df p", c(t[[grep("df", names(t))[1]]][2], t[[grep("^p", names(t))[1]]][2]))
# CUPED: 12 units against 12 (for which it is analysis of covariance), and 9 against 15
u <- function(k, n) ((1:n) * k) %% 1
make <- function(n, shift, s) { x1 <- 20 * u(0.618034 + s, n); x2 <- exp(3 * u(0.41421356 + s, n)); list(y = 5 + shift + 0.7 * x1 - 0.3 * x2 + 6 * (u(0.7320508 + s, n) - .5), x1 = x1, x2 = x2) }
for (v in list(c(12, 12), c(9, 15))) {
  a <- make(v[1], 0, 0); b <- make(v[2], 1.5, .01)
  d <- data.frame(y = c(a$y, b$y), x1 = c(a$x1, b$x1), x2 = c(a$x2, b$x2), z = rep(0:1, v))
  key <- paste0("cuped ", v[1], " ", v[2], ":")
  put(paste(key, "rows"), t(as.matrix(d[, c("y", "x1", "x2")])))
  m <- lm(y ~ z + x1 + x2, d)
  put(paste(key, "pooled difference slopes"), coef(m)[2:4])
  put(paste(key, "pooled ancova se"), sqrt(vcov(m)[2, 2]))
  # Lin's levels and the pieces of their variance, variant by variant
  centre <- data.frame(x1 = mean(d$x1), x2 = mean(d$x2))
  fits <- lapply(0:1, function(k) lm(y ~ x1 + x2, d[d$z == k, ]))
  p <- lapply(fits, predict, newdata = centre, se.fit = TRUE)
  S <- Reduce(`+`, lapply(0:1, function(k) cov(d[d$z == k, c("x1", "x2")]) * (v[k + 1] - 1))) / (sum(v) - 2)
  step <- coef(fits[[2]])[-1] - coef(fits[[1]])[-1]
  put(paste(key, "own levels"), c(p[[1]]$fit, p[[2]]$fit))
  put(paste(key, "own variance"), p[[1]]$se.fit^2 + p[[2]]$se.fit^2 + drop(t(step) %*% S %*% step) / sum(v))
}
# CUPED for a ratio: clicks per view with the same ratio and the number of logins before the test, by linearised values
make <- function(n, s) { D <- 1 + floor(9 * u(0.618034 + s, n)); pD <- 2 + floor(7 * u(0.5772 + s, n)); r <- u(0.41421356 + s, n)
  cbind(floor(D * r), D, floor(pD * (0.7 * r + 0.3 * u(0.26 + s, n))), pD, floor(5 * u(0.83 + s, n)), 1) }
a <- make(40, 0); b <- make(25, .03)
line <- function(m) sapply(1:3, function(k) { N <- m[, 2 * k - 1]; D <- m[, 2 * k]; (N - mean(N) / mean(D) * D) / mean(D) })
la <- line(a); lb <- line(b)
d <- data.frame(rbind(la, lb)); fit <- lm(X1 ~ 0 + X2 + X3, d)  # linearised values have mean 0 in each variant
ratio <- function(m) sapply(1:3, function(k) sum(m[, 2 * k - 1]) / sum(m[, 2 * k]))
apart <- ratio(b) - ratio(a)
res <- function(l) l[, 1] - l[, 2:3] %*% coef(fit)
noise <- var(res(la)) / 40 + var(res(lb)) / 25
S <- t(as.matrix(d[, 2:3])) %*% as.matrix(d[, 2:3])
inflation <- 63 / 61 * (1 + drop(t(apart[2:3]) %*% solve(S) %*% apart[2:3]) / (1 / 40 + 1 / 25))
put("ratio: control rows", t(a)); put("ratio: candidate rows", t(b))
put("ratio: slopes", coef(fit)); put("ratio: difference variance", c(apart[1] - sum(coef(fit) * apart[2:3]), noise * inflation))
cat("{\n", paste(sprintf('"%s": %s', names(out), unlist(out)), collapse = ",\n"), "\n}\n", sep = "")
