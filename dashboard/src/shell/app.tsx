// The frame of every page: where one is, whether it is live, and what keys do.
import { type JSX, lazy, Suspense, useEffect, useMemo, useState } from 'react';
import { Link, Route, Switch, useLocation, useSearch } from 'wouter';
import { ListPage } from '../list/list-page.tsx';
import { Boundary } from '../parts/fault-box.tsx';
import { dayText, Time, Today } from '../parts/time.tsx';
import { setPaused, useLive } from '../server/live.ts';
import { useSession } from '../server/questions.ts';
import { useKeys } from './keys.ts';
import { SignIn, SignOut } from './sign-in.tsx';
import { nextTheme, useThemeChoice } from './theme.ts';

/** Loads the code of an experiment's page; the list is there without it. */
export const loadExperimentPage = (): Promise<typeof import('../experiment/experiment-page.tsx')> =>
  import('../experiment/experiment-page.tsx');
const ExperimentPage = lazy(loadExperimentPage);
const NewPage = lazy(() => import('../new/new-page.tsx'));
const PortfolioPage = lazy(() => import('../portfolio/portfolio-page.tsx'));
const PlaygroundPage = lazy(() => import('../playground/playground-page.tsx'));
const HelpDialog = lazy(() => import('./help-dialog.tsx'));

const pages = [
  { path: '/', title: 'Experiments' },
  { path: '/portfolio', title: 'Portfolio' },
  { path: '/playground', title: 'Playground' },
] as const;

/** The whole page. */
export function App(): JSX.Element {
  const session = useSession();
  const { announcement } = useLive();
  const [isHelpOpen, setHelpOpen] = useState(false);
  const [, navigate] = useLocation();
  const keys = useMemo(
    () => ({
      'g e': () => navigate('/'),
      'g p': () => navigate('/playground'),
      'g n': () => navigate('/new'),
      'g o': () => navigate('/portfolio'),
      '?': () => setHelpOpen(true),
    }),
    [navigate],
  );
  useKeys(keys);
  const needsToken = session.data?.needsToken === true && !session.data.isSignedIn;
  return (
    <Today value={dayText(Date.now())}>
      <a className="skip" href="#main">
        Skip to the content
      </a>
      <Header onHelp={() => setHelpOpen(true)} canSignOut={session.data?.needsToken === true && !needsToken} />
      <StaleBanner />
      <main id="main" tabIndex={-1}>
        {needsToken ? (
          <SignIn />
        ) : (
          <Boundary>
            <Suspense fallback={<p className="waiting">Loading…</p>}>
              <Pages />
            </Suspense>
          </Boundary>
        )}
      </main>
      <div className="spoken" role="status" aria-live="polite">
        {announcement}
      </div>
      {isHelpOpen && (
        <Suspense>
          <HelpDialog onClose={() => setHelpOpen(false)} />
        </Suspense>
      )}
    </Today>
  );
}

function Pages(): JSX.Element {
  const search = useSearch();
  const namespace = new URLSearchParams(search).get('namespace') ?? 'default';
  return (
    <Switch>
      <Route path="/">
        <ListPage />
      </Route>
      <Route path="/experiments/:name">
        {({ name }) => (
          <ExperimentPage key={`${namespace}/${name}`} name={decodeURIComponent(name ?? '')} namespace={namespace} />
        )}
      </Route>
      <Route path="/new">
        <NewPage />
      </Route>
      <Route path="/portfolio">
        <PortfolioPage />
      </Route>
      <Route path="/playground">
        <PlaygroundPage />
      </Route>
      <Route>
        <NotFound />
      </Route>
    </Switch>
  );
}

function NotFound(): JSX.Element {
  useEffect(() => {
    document.title = 'Not found - Assay';
  }, []);
  return (
    <div className="card">
      <h1>There is no such page</h1>
      <p>
        <Link href="/">All experiments</Link>
      </p>
    </div>
  );
}

function Header(props: { readonly onHelp: () => void; readonly canSignOut: boolean }): JSX.Element {
  const [path] = useLocation();
  return (
    <header className="top">
      <Link href="/" className="brand">
        <svg width="20" height="20" viewBox="0 0 32 32" aria-hidden="true">
          <path d="M2 22h28M16 5v22" stroke="currentColor" strokeWidth="2.5" fill="none" />
          <path d="M6 13h22" stroke="var(--variant-1)" strokeWidth="4" />
          <rect x="13" y="8" width="10" height="10" fill="var(--variant-1)" />
        </svg>
        Assay
      </Link>
      <nav aria-label="Pages">
        {pages.map((page) => (
          <Link
            key={page.path}
            href={page.path}
            {...(path === page.path || (page.path === '/' && path.startsWith('/experiments'))
              ? { 'aria-current': 'page' as const }
              : {})}
          >
            {page.title}
          </Link>
        ))}
      </nav>
      <span className="push row">
        <LiveDot />
        <ThemeButton />
        <button type="button" className="bare" onClick={props.onHelp} aria-keyshortcuts="?">
          Keys
        </button>
        {props.canSignOut && <SignOut />}
      </span>
    </header>
  );
}

function LiveDot(): JSX.Element {
  const { connection, isPaused, lastAt, held } = useLive();
  const isLive = connection === 'live' && !isPaused;
  const keys = useMemo(() => ({ '.': () => setPaused(!isPaused) }), [isPaused]);
  useKeys(keys);
  const word = isPaused
    ? 'paused'
    : connection === 'live'
      ? 'live'
      : connection === 'lost'
        ? 'reconnecting'
        : 'connecting';
  return (
    <span className="row" data-live={word}>
      <span className={`live-dot${isLive ? '' : ' stale'}`} aria-hidden="true" />
      <span className="small">
        {word} {lastAt > 0 && <Time at={lastAt} />}
        {held > 0 && ` · ${held} ${held === 1 ? 'update' : 'updates'} waiting`}
      </span>
      <button type="button" className="small" onClick={() => setPaused(!isPaused)} aria-keyshortcuts=".">
        {isPaused ? 'Resume' : 'Pause'}
        <span className="spoken"> live updates</span>
      </button>
    </span>
  );
}

function ThemeButton(): JSX.Element {
  const choice = useThemeChoice();
  return (
    <button type="button" className="bare" onClick={nextTheme}>
      Theme: {choice}
    </button>
  );
}

function StaleBanner(): JSX.Element | null {
  const { connection, lastAt } = useLive();
  if (connection !== 'lost') return null;
  return (
    <div className="banner" role="status">
      The server does not answer. {lastAt > 0 && 'The numbers below are those of '}
      {lastAt > 0 && <Time at={lastAt} />}
      {lastAt > 0 && '. '}Reconnecting…
    </div>
  );
}
